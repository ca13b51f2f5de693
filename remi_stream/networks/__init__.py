"""The published networks, as torch modules with the keys of the published checkpoints. Only this room and runtimes/torch.py,
convert/ and models/checkpoint.py import torch."""
