"""Conversion of checkpoints to ONNX and TensorRT plans, with parity checks."""
