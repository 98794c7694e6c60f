"""Feast over the lake: definitions, point-in-time reads, the online store. The only home of feast.

`iceberg_offline_store` and `materialization_engine` are plugins that Feast loads by their path:
they subclass Feast's classes and so import it, which takes seconds. Everything else imports Feast
inside its functions.
"""
