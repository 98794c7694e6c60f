"""The Iceberg lake: catalog, tables, data files, commits. The only home of pyiceberg."""
