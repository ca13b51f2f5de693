"""Camera in, human bodies out, live."""

__version__ = "0.1.0"
