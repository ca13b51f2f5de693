"""Temporal filters."""
