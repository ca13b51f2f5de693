"""The same as `remi-stream convert`: from a checkpoint to ONNX, or to a plan for TensorRT."""

import sys

from remi_stream.cli import main

sys.argv.insert(1, "convert")
sys.exit(main())
