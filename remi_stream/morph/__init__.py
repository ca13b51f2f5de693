"""Morphing between two meshes of the same topology: rendered frames, displacements and statistics."""
