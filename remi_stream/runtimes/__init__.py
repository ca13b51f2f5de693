"""Inference runtimes: OpenVINO, ONNX Runtime, PyTorch, TensorRT."""
