"""The filters that were chosen while running, in a file of the run's folder: a relay that was killed finds them again."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from remi_stream.filters.choice import Choice

FILE = "filters.json"

log = logging.getLogger("remi_stream")


def keep(folder: Path, choices: dict[str, Choice]) -> None:
    """Write what was chosen for each camera; the file is there whole or as it was."""
    new = folder / f".{FILE}"
    try:
        new.write_bytes(msgspec.json.encode(choices))
        os.replace(new, folder / FILE)
    except OSError as error:
        log.warning("the choice of filters cannot be kept (%s): a relay that is restarted will not know it", error.strerror)


def kept(folder: Path) -> dict[str, Choice]:
    """What was chosen in this run; nothing if nothing was, or the file is broken."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=dict[str, Choice])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("what was chosen before cannot be read (%s): the filters are those of the configuration", error)
        return {}
