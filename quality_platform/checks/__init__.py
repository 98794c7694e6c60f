"""Contract -> check specs: plain data that every engine understands."""
