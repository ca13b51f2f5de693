"""Golden vectors against what the product computes: how they are read, run, compared and told."""
