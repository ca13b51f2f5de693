"""The link that the web viewer prints, and its token."""

from __future__ import annotations

from pathlib import Path

import pytest

from remi_stream.config import parse_config
from remi_stream.sinks.web.access import LINK_FILE, ViewerLink, shown_link


@pytest.mark.parametrize("bind", [None, "127.0.0.1", "::1", "192.0.2.7"])
def test_link_has_a_token_wherever_the_viewer_listens(bind: str | None, tmp_path: Path) -> None:
    config = parse_config({"cameras": [{"name": "front", "source": "synthetic:"}], "bind": bind})
    link = ViewerLink(config, tmp_path)
    assert len(link.token) == 24
    assert link.url.endswith(f":7710/?token={link.token}")


@pytest.mark.parametrize(("container", "host"), [("oci", "127.0.0.1"), ("", "192.0.2.7")])
def test_link_has_a_reachable_address_if_the_viewer_listens_on_all(
    container: str, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = parse_config({"cameras": [{"name": "front", "source": "synthetic:"}], "bind": "0.0.0.0"})
    monkeypatch.setenv("container", container)
    monkeypatch.setattr("remi_stream.sinks.web.access.outgoing_address", lambda: "192.0.2.7")
    assert ViewerLink(config, tmp_path).url.startswith(f"http://{host}:7710/?token=")


def test_token_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    link = "http://192.0.2.7:7710/?token=secret"
    assert shown_link(link, tmp_path, private=True) == link
    elsewhere = shown_link(link, tmp_path, private=False)
    assert "secret" not in elsewhere
    assert elsewhere.startswith("http://192.0.2.7:7710/ (")
    assert str(tmp_path / LINK_FILE) in elsewhere
    assert shown_link("http://127.0.0.1:7710/", tmp_path, private=False) == "http://127.0.0.1:7710/"
