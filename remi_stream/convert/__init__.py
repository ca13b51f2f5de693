"""From a checkpoint to what runs: ONNX, and the proof that it is still the same network."""
