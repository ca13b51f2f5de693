"""A line of what `doctor` reports."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """text says what was found, and what to do unless it is ok."""

    verdict: Literal["ok", "warn", "fail"]
    text: str
