"""What is measured: one module for each thing, run in a process of its own."""
