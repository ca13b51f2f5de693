"""Persists the selected filters in the run folder, so that a restarted relay restores them."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from remi_stream.filters.choice import FilterSpec

SAVED_FILTERS_FILE = "filters.json"

log = logging.getLogger("remi_stream")


def save_filters(folder: Path, choices: dict[str, FilterSpec]) -> None:
    """Save the selected filter of each camera, atomically."""
    new = folder / f".{SAVED_FILTERS_FILE}"
    try:
        new.write_bytes(msgspec.json.encode(choices))
        os.replace(new, folder / SAVED_FILTERS_FILE)
    except OSError as error:
        log.warning("cannot save the selected filters (%s): a restarted relay will not restore them", error.strerror)


def load_filters(folder: Path) -> dict[str, FilterSpec]:
    """Load the filters selected in this run; empty if there are none or the file is invalid."""
    try:
        return msgspec.json.decode((folder / SAVED_FILTERS_FILE).read_bytes(), type=dict[str, FilterSpec])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("cannot read the saved filters (%s): using those of the configuration", error)
        return {}
