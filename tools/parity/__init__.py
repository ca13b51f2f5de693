"""Golden-vector tests: reading, running, comparing and reporting."""
