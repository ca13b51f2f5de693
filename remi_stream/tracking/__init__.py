"""Tracks of people: association, re-identification, occlusion, subject selection; offline tracker, track linking."""
