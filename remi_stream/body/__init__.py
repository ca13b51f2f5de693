"""Bodies in the SMPL layout: a template, its shapes, and the 24 joints that move it."""
