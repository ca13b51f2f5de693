"""Films and pictures that are worked through without a clock: every frame, one synchronous chain, results that can be resumed."""
