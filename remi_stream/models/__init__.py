"""Engine manifests and the model store."""
