"""What networks run in."""
