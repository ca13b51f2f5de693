"""The published networks, as torch modules with the keys of the published checkpoints.

torch is imported here, in convert/, in models/checkpoint.py and torch_file.py, and in the runtimes that run it; nowhere else.
"""
