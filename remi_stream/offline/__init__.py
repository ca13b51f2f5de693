"""Offline processing of videos and image folders: every frame, one synchronous chain, resumable results."""
