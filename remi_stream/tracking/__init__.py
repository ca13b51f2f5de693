"""Tracks of people: association, re-identification, subject selection, offline linking."""
