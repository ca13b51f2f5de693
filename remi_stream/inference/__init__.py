"""Runtimes that run a network: OpenVINO, ONNX Runtime, PyTorch, TensorRT."""
