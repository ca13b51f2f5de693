"""Bodies as pictures and films, without a display and without a GPU."""
