"""`remi-stream doctor`: checks this machine."""
