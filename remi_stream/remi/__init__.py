"""remi."""
