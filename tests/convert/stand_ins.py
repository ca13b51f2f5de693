"""Made weights in a store of their own."""

from __future__ import annotations

import sys
from pathlib import Path

from remi_stream.models import importer
from remi_stream.models.manifest import ModelFile, find_model_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))


def bring(model: str, folder: Path, calm: bool = False) -> ModelFile:
    """Make the weights of a model and import them; $REMI_HOME says where to.

    calm: a mesh regressor sees a person who stands, so that a small error stays small. Of noise, PARE's rotations are nearly
    undefined, and FP16 turns some of them by several degrees.
    """
    from tools.make_weights import MODELS, REGRESSORS, network

    file, write = MODELS[model]
    (network(model, calm=True) if calm and model in REGRESSORS else write)(folder / file, 1234)
    importer.import_file(folder / file)
    (folder / file).unlink()
    return find_model_file(model)
