"""The viewer behind a real nginx with TLS, under a path, with the configuration of docs/use/viewer.md."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.browser import Browser
from tests.browser.viewing import Viewing, viewing

pytestmark = [pytest.mark.browser, pytest.mark.nginx]
GUIDE = Path(__file__).parents[2] / "docs" / "use" / "viewer.md"
NAME = "cam.localhost"
"""Browsers resolve every name below localhost to this machine."""
MAIN = """daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; include {folder}/site; }}
"""


def site(folder: Path, port: int, viewer: str) -> str:
    """The configuration of the guide, with this test's ports, name and certificate."""
    found = re.search(r"```nginx\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found
    text = (
        found[1]
        .replace("listen 443", f"listen 127.0.0.1:{port}")
        .replace("127.0.0.1:7710", viewer)
        .replace("cam.example;", f"{NAME};")
    )
    return re.sub(r"/etc/ssl/\w+/cam\.example\.(pem|key)", rf"{folder}/\1", text)


@contextlib.contextmanager
def nginx(folder: Path, viewer: Viewing) -> Iterator[str]:
    """The URL of the viewer behind nginx while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    subprocess.run([*certificate, "-keyout", folder / "key", "-out", folder / "pem"], check=True, capture_output=True)
    (folder / "site").write_text(site(folder, port, urlsplit(viewer.url).netloc))
    (folder / "main").write_text(MAIN.format(folder=folder))
    process = subprocess.Popen(["nginx", "-c", folder / "main", "-e", folder / "error.log"], stderr=subprocess.PIPE)
    try:
        until_open(port, process)
        yield f"https://{NAME}:{port}/cam/"
    finally:
        process.terminate()
        process.communicate(timeout=10)


def until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until nginx listens."""
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            pytest.fail(f"nginx ended: {process.stderr and process.stderr.read()!r}")
    pytest.fail("nginx does not listen")


def test_body_is_seen_through_nginx_with_tls_under_a_path(browser: Browser, tmp_path: Path) -> None:
    with viewing("--viewer-host", NAME) as viewer, nginx(tmp_path, viewer) as url:
        assert browser.open(f"{url.rstrip('/')}?{urlsplit(viewer.url).query}") == 200
        assert browser.evaluate("location.href") == url
        browser.wait("/frame [1-9]/.test(document.body.innerText)")
        browser.wait_for_text("person 1")
        assert browser.evaluate("document.title") == f"remi-stream - {viewer.replay.name}"
        assert browser.do("complaints") == []


def test_name_that_was_not_given_is_refused(browser: Browser, tmp_path: Path) -> None:
    with viewing() as viewer, nginx(tmp_path, viewer) as url:
        assert browser.open(url) == 421
        assert "--viewer-host" in browser.evaluate("document.body.innerText")


def test_token_is_taken_through_nginx_and_its_cookie_is_secure(browser: Browser, tmp_path: Path) -> None:
    with viewing("--viewer-host", NAME) as viewer, nginx(tmp_path, viewer) as url:
        assert browser.open(url) == 401
        assert browser.open(f"{url}?{urlsplit(viewer.url).query}") == 200
        assert browser.evaluate("location.href") == url
        browser.wait("/frame [1-9]/.test(document.body.innerText)")
        assert browser.do("complaints") == []
