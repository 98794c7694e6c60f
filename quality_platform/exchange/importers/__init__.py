"""Other formats as ODCS documents, one module for each format."""
