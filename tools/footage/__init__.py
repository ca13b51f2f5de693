"""Scores of people on footage of the user's own."""
