"""A local window (pygame) that shows the live image with meshes or skeletons drawn on it."""
