"""Export a take in the file formats of other programs."""
