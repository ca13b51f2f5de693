"""The loops of a stage's process: source (frames out), work (messages in, messages out), sink (listens to the bus)."""
