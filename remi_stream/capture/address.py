"""Where a network camera is and who may look at it; what people see of it shows no secret."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from remi_stream.config import Camera
from remi_stream.errors import UsageError

SCHEMES = ("rtsp", "rtsps")
USER, PASSWORD = "REMI_RTSP_USER", "REMI_RTSP_PASSWORD"
SECRET_KEYS = "password|passwd|pass|pwd|token|secret|key|auth"


class Address(NamedTuple):
    """url: with credentials, for the connection only. shown: without, for people. host: its name or number."""

    url: str
    shown: str
    host: str


def masked(url: str) -> str:
    """Give a URL for people: user:***@, and *** for what a query calls a password. Also for URLs that are malformed."""
    without = re.sub(r"(://[^:@/]*):.*@", r"\1:***@", url)
    return re.sub(rf"(?i)([?&](?:{SECRET_KEYS})=)[^&]*", r"\1***", without)


def has_password(url: str) -> bool:
    """Whether the URL itself tells a secret."""
    return masked(url) != url


def address_of(camera: Camera) -> Address:
    """Read a camera's URL and credentials: of its own, else those in the URL, else of the environment. UsageError if wrong."""
    host, port, path = _parts(camera.source)
    user, password = _own(camera) or _inline(camera.source) or (os.environ.get(USER, ""), os.environ.get(PASSWORD, ""))
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    where = f"{f'[{host}]' if ':' in host else host}{port}{path}"
    url = f"{camera.source.partition('://')[0]}://{login}{'@' if login else ''}{where}"
    return Address(url, masked(url), host)


def check_url(url: str) -> None:
    """Raise UsageError, which shows no secret, unless this can be a camera's URL."""
    _parts(url)


def _parts(url: str) -> tuple[str, str, str]:
    """Split a URL into host, ":port" and path with query."""
    try:
        split = urlsplit(url)
        host, port = split.hostname, split.port
    except ValueError:
        split, host, port = urlsplit(""), None, None
    if split.scheme and split.scheme not in SCHEMES:
        raise UsageError(f"{masked(url)!r} begins with {split.scheme}://; allowed: {', '.join(f'{s}://' for s in SCHEMES)}")
    if not host or split.fragment or not split.scheme:
        raise UsageError(
            f"{masked(url)!r} is not a camera's address; allowed: rtsp://HOST[:PORT]/PATH. "
            f"A password with special characters is best told by {PASSWORD}"
        )
    return host, f":{port}" if port else "", split.path + (f"?{split.query}" if split.query else "")


def _own(camera: Camera) -> tuple[str, str] | None:
    """Give the credentials that the camera's configuration names."""
    if not (camera.username or camera.password_env or camera.password_file):
        return None
    return camera.username or os.environ.get(USER, ""), _own_password(camera)


def _own_password(camera: Camera) -> str:
    if camera.password_env:
        if camera.password_env not in os.environ:
            raise UsageError(f"Camera {camera.name!r}: the environment has no {camera.password_env}. Set it to the password")
        return os.environ[camera.password_env]
    if camera.password_file:
        try:
            return Path(camera.password_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not text"
            raise UsageError(f"Camera {camera.name!r}: cannot read password_file {camera.password_file}: {why}") from None
    return os.environ.get(PASSWORD, "")


def _inline(url: str) -> tuple[str, str] | None:
    split = urlsplit(url)
    return (unquote(split.username), unquote(split.password or "")) if split.username else None
