"""What operators watch: metrics to be scraped, traces of runs, logs as JSON."""
