"""Parts of make_weights.py."""
