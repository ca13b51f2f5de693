"""Recordings: written, recovered, read as a take, played."""
