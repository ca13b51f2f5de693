"""Logging as text or JSON lines, each with the stage's name."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Callable

from remi_stream.redaction import redact


class LogFormatter(logging.Formatter):
    """Formats a record as one line, "17:03:21 pose     message", or as a JSON object."""

    def __init__(self, stage: str, style: str) -> None:
        super().__init__()
        self.stage = stage
        self.style = style

    def format(self, record: logging.LogRecord) -> str:
        """Format a record, with credentials masked; a traceback follows on lines of its own, or as a field of the JSON object."""
        trace = redact("".join(traceback.format_exception(*record.exc_info)).rstrip()) if record.exc_info else ""
        message = redact(record.getMessage())
        if self.style == "json":
            fields = {"time": record.created, "level": record.levelname.lower(), "stage": self.stage}
            return json.dumps({**fields, "message": message, **({"traceback": trace} if trace else {})})
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        return f"{clock} {self.stage:<9} {level}{message}" + (f"\n{trace}" if trace else "")


class CallbackHandler(logging.Handler):
    """Passes each formatted line to a function."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Format a record and pass it on."""
        self._write(self.format(record))


def configure_logging(stage: str, style: str, write: Callable[[str], None] | None = None) -> logging.Logger:
    """Configure logging of this process, to stderr or line by line to a function."""
    handler = CallbackHandler(write) if write else logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter(stage, style))
    logger = logging.getLogger("remi_stream")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    return logger
