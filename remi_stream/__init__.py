"""Live human pose estimation: camera frames in, SMPL bodies out."""

__version__ = "0.1.0"
