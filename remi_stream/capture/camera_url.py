"""URL and credentials of a network camera, and the redacted form for logs and messages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from remi_stream.config import CameraConfig
from remi_stream.errors import UsageError
from remi_stream.redaction import redact_url
from remi_stream.sources import normal_source

URL_SCHEMES = ("rtsp", "rtsps", "http", "https")
"""Allowed URL schemes."""
USER_VARIABLE, PASSWORD_VARIABLE = "REMI_RTSP_USER", "REMI_RTSP_PASSWORD"
"""Environment variables with the default credentials."""


class CameraUrl(NamedTuple):
    """URL of a network camera."""

    url: str
    """With credentials, for the connection only; never logged."""
    redacted: str
    """With redacted credentials, for logs and messages."""
    host: str
    """Host name or IP address."""


def url_has_secret(url: str) -> bool:
    """Whether the URL itself contains a password or another secret."""
    return redact_url(url) != url


def resolve_camera_url(camera: CameraConfig) -> CameraUrl:
    """URL of a camera; credentials from its configuration, else the URL, else the environment. Raises UsageError."""
    host, port, path = _split_url(normal_source(camera.source))
    default = os.environ.get(USER_VARIABLE, ""), os.environ.get(PASSWORD_VARIABLE, "")
    user, password = _configured_credentials(camera) or _url_credentials(camera.source) or default
    # the colon even before an empty password: without it FFmpeg sends no login that a camera understands
    login = f"{quote(user, safe='')}:{quote(password, safe='')}" if user or password else ""
    location = f"{f'[{host}]' if ':' in host else host}{port}{path}"
    url = f"{camera.source.partition('://')[0]}://{login}{'@' if login else ''}{location}"
    return CameraUrl(url, redact_url(url), host)


def check_camera_url(url: str) -> None:
    """Raise UsageError, with the URL redacted, unless this is a valid camera URL."""
    _split_url(normal_source(url))


def _split_url(url: str) -> tuple[str, str, str]:
    """Split a URL into host, ":port" and path with query."""
    try:
        split = urlsplit(url)
        host, port = split.hostname, split.port
    except ValueError:  # its text may contain a part of the password
        split, host, port = urlsplit(""), None, None
    if split.scheme and split.scheme not in URL_SCHEMES:
        raise UsageError(
            f"{redact_url(url)!r} begins with {split.scheme}://; allowed: {', '.join(f'{s}://' for s in URL_SCHEMES)}"
        )
    if not host or split.fragment or not split.scheme:
        raise UsageError(
            f"{redact_url(url)!r} is not a camera URL; allowed: rtsp://HOST[:PORT]/PATH, http://HOST[:PORT]/PATH. "
            f"Put a password with special characters into {PASSWORD_VARIABLE}"
        )
    return host, f":{port}" if port else "", split.path + (f"?{split.query}" if split.query else "")


def _configured_credentials(camera: CameraConfig) -> tuple[str, str] | None:
    """User and password from the camera's configuration; None if it names none."""
    if not (camera.username or camera.password_env or camera.password_file):
        return None
    return camera.username or os.environ.get(USER_VARIABLE, ""), _configured_password(camera)


def _configured_password(camera: CameraConfig) -> str:
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
    return os.environ.get(PASSWORD_VARIABLE, "")


def _url_credentials(url: str) -> tuple[str, str] | None:
    split = urlsplit(url)
    return (unquote(split.username), unquote(split.password or "")) if split.username else None
