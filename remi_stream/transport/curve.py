"""CURVE on TCP sockets: the key files of a daemon and its clients, and who may connect.

`keys/` in the user's data folder holds the daemon's keys (server.json), the public key of each client that may connect
(clients/), and the key file of a first client, to be copied to its machine (client.json). Without its public key in clients/ a
client cannot connect again.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TypeVar

import msgspec
import zmq

from remi_stream.atomic_files import atomic_file, process_lock
from remi_stream.errors import RemiError, UsageError
from remi_stream.paths import user_data_folder
from remi_stream.permission_hints import write_error_hint
from remi_stream.transport.address import ClientKeys, ServerKeys

MAX_KEY_FILE_BYTES = 4096


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """Public key of an authorised client, Z85."""

    public: str


K = TypeVar("K", bound=ServerKeys | ClientKeys | PublicKey)


def keys_folder() -> Path:
    """Folder of this user's keys, 0700."""
    return user_data_folder() / "keys"


def open_server_keys() -> ServerKeys:
    """The daemon's keys; made on first use, with those of a first client. Raises RemiError."""
    folder, file = keys_folder(), keys_folder() / "server.json"
    try:
        with process_lock("keys"):
            if not file.exists():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                made = ServerKeys(**_keypair())
                client = ClientKeys(server=made.public, **_keypair())
                _write(folder / "clients" / "client.json", PublicKey(public=client.public))
                _write(folder / "client.json", client)
                _write(file, made)
    except OSError as error:
        raise RemiError(f"Cannot write {file}: {write_error_hint(file, error, 'Set REMI_HOME to a folder of yours')}") from None
    return _read(file, ServerKeys)


def read_client_keys(file: Path) -> ClientKeys:
    """Read the key file of a client. Raises UsageError."""
    return _read(file, ClientKeys)


def is_authorised(public: str) -> bool:
    """Whether a client with this public key may connect, according to the files now."""
    for file in (keys_folder() / "clients").glob("*.json"):
        with contextlib.suppress(UsageError):
            if _read(file, PublicKey).public == public:
                return True
    return False


def _keypair() -> dict[str, str]:
    public, secret = zmq.curve_keypair()
    return {"public": public.decode(), "secret": secret.decode()}


def _read(file: Path, kind: type[K]) -> K:
    try:
        with file.open("rb") as opened:
            others = os.fstat(opened.fileno()).st_mode & 0o077
            data = opened.read(MAX_KEY_FILE_BYTES)
        keys = msgspec.json.decode(data, type=kind)
    except OSError as error:
        raise UsageError(f"Cannot read the key file {file}: {error.strerror}") from None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise UsageError(f"{file} is not a key file; allowed: a copy of keys/client.json of the daemon's user") from None
    if others and hasattr(keys, "secret"):
        raise UsageError(f"Other users can read the secret key in {file}. Run: chmod 600 {file}")
    if any(len(key) != 40 or not key.isascii() for key in msgspec.structs.astuple(keys)):
        raise UsageError(f"{file} holds a key that is not 40 characters (Z85); copy it again")
    return keys


def _write(file: Path, keys: ServerKeys | ClientKeys | PublicKey) -> None:
    """Write a key file atomically, readable by its owner only from the beginning."""
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with atomic_file(file, 0o600) as opened:
        opened.write(msgspec.json.encode(keys))
