"""Training of the learned lifter, see docs/reference/lifter.md: motion, rendered pictures, features, network."""
