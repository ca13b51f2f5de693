"""Result of one check of `doctor`."""

from __future__ import annotations

from typing import Literal, NamedTuple


class CheckResult(NamedTuple):
    """Result of a check."""

    verdict: Literal["ok", "warn", "fail"]
    """fail: the daemon cannot run; warn: it can, with a restriction."""
    text: str
    """What was found and, unless it is ok, how to fix it."""
