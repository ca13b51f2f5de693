"""Engine manifests, the model store, import of published files, the safe reader of arrays and pickles."""
