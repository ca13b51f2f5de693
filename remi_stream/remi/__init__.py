"""REMI's TCP packets: read from its pose program, sent to its relay."""
