"""Training of the learned lifter, see docs/lifter.md: motion, rendered pictures, features, network."""
