"""Read data sets' pickles with the safe unpickler, check their fields and load their SMPL bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.body.retarget import known_body
from remi_stream.body.smpl import Body
from remi_stream.body.smpl_file import SMPL_ARRAYS
from remi_stream.errors import UsageError
from remi_stream.formats.npz import NUMPY_CONSTRUCTORS
from remi_stream.models.inert import PICKLE_ERRORS, SafeUnpickler, UnsafePickleError
from remi_stream.models.smpl_pickle import read_smpl
from remi_stream.skeletons import SMPL_PARENTS

GENDERS = {"m": "male", "f": "female", "n": "neutral"}
"""By first letter: the data sets write letters or words."""


def read_dataset_pickle(path: Path) -> Any:
    """Read arrays and plain containers from a pickle, also of Python 2, without running its code. Raises UsageError."""
    try:
        with path.open("rb") as file:
            return SafeUnpickler(file, NUMPY_CONSTRUCTORS).load()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnsafePickleError as error:
        raise UsageError(f"{path} would run code when it is read (it asks for {error}); it is refused.") from None
    except (*PICKLE_ERRORS, RecursionError) as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise UsageError(f"{path} is cut off or damaged, or no pickle ({why}). Get it again.") from None


def number_field(content: Mapping[str, Any], name: str, *shape: int | None) -> np.ndarray:
    """Return a field as float64 of this shape (None: any length). Raises ValueError with the actual shape."""
    if name not in content:
        raise ValueError(f"it has no {name}")
    array = to_numbers(content[name], name)
    if len(array.shape) != len(shape) or any(expected not in (None, got) for expected, got in zip(shape, array.shape)):
        sizes = " x ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} is {' x '.join(map(str, array.shape)) or 'one number'}, expected {sizes}")
    return array


def to_numbers(value: Any, name: str) -> np.ndarray:
    """Convert a numeric array, list or number to float64. Raises ValueError."""
    array = np.array(value) if isinstance(value, list | tuple | int | float) else value
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds no numbers")
    return array.astype(np.float64)


def parse_gender(text: Any) -> str:
    """Parse a gender: male, female or neutral. Raises ValueError."""
    name = GENDERS.get(str(text)[:1].lower())
    if name is None:
        raise ValueError(f"gender is {text!r:.40}")
    return name


def smpl_body_for_gender(gender: str, folder: Path | None) -> Body | None:
    """Return SMPL's body of a gender, from a folder of SMPL's pickles or the imported neutral one; None if not available.

    Raises RemiError for a file that is not a SMPL body.
    """
    pattern = re.compile(rf"(^|[_-])({gender}|{gender[0]})([_-]|$)")
    files = sorted(path for path in folder.glob("*.pkl") if pattern.search(path.stem.lower())) if folder else []
    if files:
        arrays = read_smpl(files[0])
        floats: dict[str, Any] = {ours: arrays[theirs].astype(np.float32) for theirs, ours in SMPL_ARRAYS.items()}
        return Body(name="smpl", faces=arrays["f"].astype(np.int32), parents=np.array(SMPL_PARENTS, np.int32), **floats)
    imported = known_body()
    return imported if gender == "neutral" and imported.name == "smpl" else None


def missing_body_notes(genders: set[str]) -> tuple[str, ...]:
    """Return the note about bodies that are not available."""
    names = " and ".join(f"SMPL_{gender.upper()}.pkl" for gender in sorted(genders))
    return (f"the truth's bodies are missing: for PVE, and for EMDB's joints, give --bodies DIR with {names}",) if names else ()
