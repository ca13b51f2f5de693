"""The link that the web viewer prints, and its token."""

from __future__ import annotations

from pathlib import Path

import pytest

from remi_stream.config import parse_config
from remi_stream.sinks.web.access import ViewerLink


@pytest.mark.parametrize(("container", "host"), [("oci", "127.0.0.1"), ("", "192.0.2.7")])
def test_link_has_a_reachable_address_if_the_viewer_listens_on_all(
    container: str, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = parse_config({"cameras": [{"name": "front", "source": "synthetic:"}], "bind": "0.0.0.0"})
    monkeypatch.setenv("container", container)
    monkeypatch.setattr("remi_stream.sinks.web.access.outgoing_address", lambda: "192.0.2.7")
    assert ViewerLink(config, tmp_path).url.startswith(f"http://{host}:7710/?token=")
