"""Read predictions and truths from any supported kind of file, as given on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from remi_stream.errors import UsageError
from remi_stream.evaluate import emdb, sample_truth, threedpw, track_file
from remi_stream.evaluate.dataset import read_dataset_pickle
from remi_stream.evaluate.truth import GroundTruth
from remi_stream.formats.take import Take
from remi_stream.mounts import empty_mount_hint
from remi_stream.offline.opening import open_take

SAMPLE_NAME = "sample"
DATASETS: tuple[tuple[str, set[str], Callable[[Mapping[str, Any], str, Path | None], GroundTruth]], ...] = (
    ("3DPW", threedpw.THREEDPW_KEYS, threedpw.read_threedpw),
    ("EMDB", emdb.EMDB_KEYS, emdb.read_emdb),
)
"""Name, keys that identify the file, and reader of each data set."""


def read_prediction(path: Path) -> Take:
    """Read a recording, results of `video` or a person's .npz. Raises UsageError, or RemiError if it is damaged."""
    if path.is_dir():
        return open_take(path)
    if not path.exists():
        hint = f"Give a recording, a folder that `remi-stream video` made, or a person's .npz{empty_mount_hint(path)}"
        raise UsageError(f"No such prediction: {path}. {hint}")
    if path.suffix != ".npz":
        raise UsageError(f"{path} is no prediction. Give a recording, a folder that `remi-stream video` made, or a person's .npz")
    return track_file.read_track_file(path)


def read_truth(source: str, bodies: Path | None) -> GroundTruth:
    """Read the sample clip's truth, a data set's pickle, or another prediction. Raises UsageError, or RemiError if damaged."""
    if source == SAMPLE_NAME:
        return sample_truth.read_sample_truth()
    path = Path(source)
    if not path.exists():
        raise UsageError(
            f"No such truth: {source}. Give `{SAMPLE_NAME}`, a 3DPW or EMDB .pkl, or another prediction{empty_mount_hint(path)}"
        )
    if path.suffix == ".pkl":
        return read_dataset(path, bodies)
    return GroundTruth(read_prediction(path))


def read_dataset(path: Path, bodies: Path | None) -> GroundTruth:
    """Read the truth from a pickle of 3DPW or EMDB; bodies: folder of SMPL's pickles. Raises UsageError."""
    content = read_dataset_pickle(path)
    found = {str(key) for key in content} if isinstance(content, dict) else set()
    for name, keys, read in DATASETS:
        if keys <= found:
            try:
                return read(content, path.stem, bodies)
            except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError) as error:
                raise UsageError(f"{path} has the keys of {name}, but cannot be read as that: {error}.") from None
    expected = ", or ".join(f"{name}'s {', '.join(sorted(keys))}" for name, keys, _ in DATASETS)
    has = ", ".join(sorted(found)[:12]) or f"a {type(content).__name__}"
    raise UsageError(f"{path} is no sequence of 3DPW or EMDB: it holds {has}; expected {expected}.")
