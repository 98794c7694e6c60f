"""Results for machines and for people: JUnit XML, JSON, Markdown."""
