"""One module for each program that loads; they run in processes and environments of their own."""
