"""Alias of `remi-stream convert`: convert a checkpoint to ONNX or to a TensorRT plan."""

import sys

import extras_hint  # noqa: F401  # first: a missing package is one line

from remi_stream.cli import main

sys.argv.insert(1, "convert")
sys.exit(main())
