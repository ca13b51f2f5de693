"""Published networks as torch modules, with the state dict keys of the published checkpoints.

torch is imported only here, in convert/, in models/checkpoint.py and models/torch_file.py, and in the PyTorch and TensorRT
runtimes.
"""
