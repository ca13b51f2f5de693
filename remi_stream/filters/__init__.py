"""Temporal smoothing of body poses."""
