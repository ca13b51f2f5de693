"""The supervisor, its workers, and the loops around sources, stages and sinks."""
