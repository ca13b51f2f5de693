"""Import record of a model file: a JSON file beside it in the store."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import msgspec

CHUNK_BYTES = 1 << 20


class ImportRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Record of an imported model file."""

    bytes: int
    """Size of the file in the store."""
    sha256: str
    """Hash of the file in the store."""
    original_name: str
    original_sha256: str
    """Hash of the file that was imported."""
    imported_at: str
    """UTC, ISO 8601."""


def record_path(file: Path) -> Path:
    """Return the path of a model file's record."""
    return file.with_name(f"{file.name}.json")


def make_record(file: Path, original_name: str, original_sha256: str) -> ImportRecord:
    """Make the record of a file that is being imported, dated now."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return ImportRecord(file.stat().st_size, sha256_of(file), original_name, original_sha256, now)


def read_record(file: Path) -> ImportRecord | None:
    """Read the record of a model file; None if it is missing or unreadable."""
    try:
        return msgspec.json.decode(record_path(file).read_bytes(), type=ImportRecord)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None


def sha256_of(file: Path) -> str:
    """Compute the SHA-256 of a file in chunks."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
