"""Sinks: the consumers of the bus (viewers, recorder, exporter, REMI relay client)."""
