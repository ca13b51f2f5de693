"""`view` of a pipeline that has a viewer."""

from __future__ import annotations

import secrets

import pytest

from remi_stream.paths import run_folder
from remi_stream.sinks.web.access import LINK_FILE
from tests.cli.command import finish, start

LINK = "http://127.0.0.1:7710/?token=secret"


@pytest.mark.parametrize(("options", "lines"), [((), 0), (("--bind", "0.0.0.0"), 1), (("--viewer-host", "cam.example"), 1)])
def test_options_that_do_not_change_a_running_viewer_are_named(options: tuple[str, ...], lines: int) -> None:
    with run_folder(f"t{secrets.token_hex(4)}") as folder:
        (folder.path / LINK_FILE).write_text(LINK + "\n")
        code, out, err = finish(start("view", "--name", folder.name, *options), lambda: None)
    assert (code, out, err.count("\n")) == (0, LINK + "\n", lines)
    assert "--bind and --viewer-host do not change it" in err or not lines
