"""What is known of a file that the user has brought: a JSON beside it in the store."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import msgspec

CHUNK = 1 << 20


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """bytes, sha256: of the file in the store. original_name, original_sha256: of the one that was brought. imported_at: UTC."""

    bytes: int
    sha256: str
    original_name: str
    original_sha256: str
    imported_at: str


def record_place(file: Path) -> Path:
    """Where the record of a file of the store belongs."""
    return file.with_name(f"{file.name}.json")


def make_record(file: Path, original_name: str, original_sha256: str) -> Record:
    """The record of a file that is about to enter the store; its date is now."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return Record(file.stat().st_size, sha256_of(file), original_name, original_sha256, now)


def read_record(file: Path) -> Record | None:
    """The record of a file of the store; None if there is none that can be read."""
    try:
        return msgspec.json.decode(record_place(file).read_bytes(), type=Record)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file of any size."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
