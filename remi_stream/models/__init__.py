"""The catalogue and the store of weights."""
