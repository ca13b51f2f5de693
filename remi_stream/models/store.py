"""The store of model files."""
from pathlib import Path
from remi_stream.models.catalogue import known_file
from remi_stream.resources import home

def model_file(name: str) -> Path:
    return home() / "models" / known_file(name).file
