"""What the licences of model files ask of whoever runs them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from remi_stream.models.manifest import ModelFile

NON_COMMERCIAL = re.compile(r"non-?commercial|\bNC\b", re.IGNORECASE)


def is_non_commercial(licence: str) -> bool:
    """Whether a licence forbids commercial use."""
    return bool(NON_COMMERCIAL.search(licence))


def licence_notice(files: Iterable[ModelFile]) -> str:
    """The line that must be shown before these files are used: "" if they may be used for anything."""
    bound: dict[str, list[str]] = {}
    for file in files:
        if is_non_commercial(file.licence):
            bound.setdefault(file.licence, []).append(file.name)
    return "; ".join(f"for non-commercial use only: {', '.join(names)} ({licence})" for licence, names in bound.items())
