"""Parts of render_sample.py: motions, actors and the rendered room."""
