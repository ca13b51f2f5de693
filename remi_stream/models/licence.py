"""Licences of model files: detect and report non-commercial terms."""

from __future__ import annotations

import re
from collections.abc import Iterable

from remi_stream.models.manifest import ModelFile

NON_COMMERCIAL = re.compile(r"non-?commercial|\bNC\b", re.IGNORECASE)


def is_non_commercial(licence: str) -> bool:
    """Return whether a licence forbids commercial use."""
    return bool(NON_COMMERCIAL.search(licence))


def licence_notice(files: Iterable[ModelFile]) -> str:
    """Return the notice to show before these files are used; empty if commercial use is allowed."""
    restricted: dict[str, list[str]] = {}
    for file in files:
        if is_non_commercial(file.licence):
            restricted.setdefault(file.licence, []).append(file.name)
    return "; ".join(f"for non-commercial use only: {', '.join(names)} ({licence})" for licence, names in restricted.items())
