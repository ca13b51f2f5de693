"""Recovery: finish the recordings of recorders that were killed."""

from __future__ import annotations

import logging
from pathlib import Path

from remi_stream.errors import RemiError
from remi_stream.sinks.recording.finish import is_unfinished, list_recordings, recover_recording

log = logging.getLogger("remi_stream")


def recover_all(parent: Path) -> int:
    """Finish every recording in a folder whose recorder died; return the number of failures."""
    failed = 0
    for folder in filter(is_unfinished, list_recordings(parent)):
        try:
            index = recover_recording(folder)
            log.info("recovered %s: %d frames", folder, index.frames)
        except BlockingIOError:
            log.info("%s is being recorded", folder)
        except (OSError, RemiError) as error:
            failed += 1
            log.warning("%s cannot be recovered: %s", folder, error)
    return failed
