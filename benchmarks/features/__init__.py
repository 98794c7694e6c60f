"""The benchmark of the feature store: materialization, online reads, joins back in time."""
