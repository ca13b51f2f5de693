"""Persists the selected filters in the run folder, so that a restarted relay restores them."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from remi_stream.filters.choice import Choice

FILE = "filters.json"

log = logging.getLogger("remi_stream")


def keep(folder: Path, choices: dict[str, Choice]) -> None:
    """Save the selected filter of each camera, atomically."""
    new = folder / f".{FILE}"
    try:
        new.write_bytes(msgspec.json.encode(choices))
        os.replace(new, folder / FILE)
    except OSError as error:
        log.warning("cannot save the selected filters (%s): a restarted relay will not restore them", error.strerror)


def kept(folder: Path) -> dict[str, Choice]:
    """Load the filters selected in this run; empty if there are none or the file is invalid."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=dict[str, Choice])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("cannot read the saved filters (%s): using those of the configuration", error)
        return {}
