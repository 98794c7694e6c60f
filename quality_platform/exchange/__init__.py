"""Contracts from and to the formats of other tools. Losses are listed, never silent."""
