"""Person detectors, non-maximum suppression and tiling."""
