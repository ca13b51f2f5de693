"""URLs of network cameras: credentials come from several places and are never shown."""

from __future__ import annotations

import traceback
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.capture.camera_url import (
    PASSWORD_VARIABLE,
    USER_VARIABLE,
    check_camera_url,
    resolve_camera_url,
    url_has_secret,
)
from remi_stream.config import CameraConfig
from remi_stream.errors import UsageError
from remi_stream.redaction import redact_url
from remi_stream.sources import find_source


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://cam/x", "rtsp://cam/x"),
        ("rtsp://joe@cam/x", "rtsp://joe@cam/x"),
        ("rtsp://joe:secret@cam:554/x?a=1", "rtsp://joe:***@cam:554/x?a=1"),
        ("rtsp://joe:sec@ret@cam/x", "rtsp://joe:***@cam/x"),
        ("rtsp://joe:sec/r#t@cam/x", "rtsp://joe:***@cam/x"),
        ("rtsp://cam/x?user=joe&password=secret&c=1", "rtsp://cam/x?user=joe&password=***&c=1"),
    ],
)
def test_secret_of_a_url_is_redacted(url: str, shown: str) -> None:
    assert redact_url(url) == shown
    assert redact_url(shown) == shown
    assert url_has_secret(url) == (url != shown)


@given(st.text(min_size=4), st.text())
def test_any_password_reaches_the_camera_but_no_message(secret: str, user: str) -> None:
    url = f"rtsp://{quote(user or 'joe', safe='')}:{quote('~' + secret, safe='')}@cam:8554/x"
    address = resolve_camera_url(CameraConfig(name="front", source=url))
    assert address.url == url
    # a user that looks like a token is masked too
    assert address.redacted in (f"rtsp://{quote(user or 'joe', safe='')}:***@cam:8554/x", "rtsp://***:***@cam:8554/x")
    assert address.host == "cam"


@pytest.mark.parametrize("url", ["rtsp://", "rtsp:///x", "ftp://joe:topsecret@cam/x", "rtsp://joe:topsecret@cam:99999/x"])
def test_invalid_url_is_refused_without_showing_the_secret(url: str) -> None:
    with pytest.raises(UsageError, match="rtsp://") as caught:
        check_camera_url(url)
    assert "topsecret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("source", "url"),
    [
        (" RTSP://cam/Live ", "rtsp://cam/Live"),
        ("rtsp://admin:@cam/x", "rtsp://admin:@cam/x"),
        ("rtsp://admin@cam/x", "rtsp://admin:@cam/x"),
        ("Http://joe:a%2Fb@cam/x", "http://joe:a%2Fb@cam/x"),
    ],
)
def test_scheme_blanks_and_an_empty_password_are_understood(source: str, url: str) -> None:
    camera = CameraConfig(name="a", source=source)
    assert resolve_camera_url(camera).url == url
    assert find_source(camera.source).name == url.partition("://")[0]


def test_path_keeps_its_blanks_and_letters() -> None:
    assert CameraConfig(name="a", source=" Clip 1:2.MP4").source == " Clip 1:2.MP4"


def test_own_credentials_come_before_those_in_the_url_and_those_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER_VARIABLE, "anyone")
    monkeypatch.setenv(PASSWORD_VARIABLE, "general")
    monkeypatch.setenv("FRONT", "own")
    assert resolve_camera_url(CameraConfig(name="a", source="rtsp://cam/x")).url == "rtsp://anyone:general@cam/x"
    assert resolve_camera_url(CameraConfig(name="a", source="rtsp://joe:inline@cam/x")).url == "rtsp://joe:inline@cam/x"
    own = CameraConfig(name="a", source="rtsp://joe:inline@cam/x", username="ann", password_env="FRONT")
    assert resolve_camera_url(own).url == "rtsp://ann:own@cam/x"


def test_password_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("pass word\n")
    camera = CameraConfig(name="a", source="rtsps://[::1]:322/x?y=1", username="joe", password_file=str(tmp_path / "p"))
    assert resolve_camera_url(camera).url == "rtsps://joe:pass%20word@[::1]:322/x?y=1"


@pytest.mark.parametrize("where", [{"password_env": "NOT_SET_AT_ALL"}, {"password_file": "/not/there"}])
def test_password_that_cannot_be_found_is_named(where: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=f"'front'.*{next(iter(where.values()))}"):
        resolve_camera_url(CameraConfig(name="front", source="rtsp://cam/x", username="joe", **where))  # type: ignore[arg-type]
