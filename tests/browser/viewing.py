"""A real viewer process that shows a replay."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping

from remi_stream.paths import run_folder_path
from remi_stream.sinks.web.access import read_viewer_link
from tests.browser.replay import Replay, replaying


class Viewing:
    """A viewer process, its URL, and the replay that it shows."""

    def __init__(self, replay: Replay, process: subprocess.Popen[str], url: str) -> None:
        self.replay, self.process, self.url = replay, process, url


@contextlib.contextmanager
def viewing(
    *arguments: str, cameras: tuple[str, ...] = ("sample",), states: Mapping[str, str] | None = None
) -> Iterator[Viewing]:
    """Run `remi-stream view` while the block runs, and check that it prints nothing but the link. states: see Replay."""
    with replaying(*cameras) as replay:
        replay.states.update(states or {})
        command = [sys.executable, "-m", "remi_stream", "view", "--name", replay.name, *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            printed = process.stdout.readline().strip()
            assert printed.startswith("http://"), process.communicate(timeout=10)
            url = read_viewer_link(run_folder_path(replay.name))
            assert printed.split()[0] == url.partition("?token=")[0], "the token is printed to a terminal only"
            yield Viewing(replay, process, url)
        finally:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=20)
        assert (out, err, process.returncode) == ("", "", 0), f"it also printed {out!r} {err!r}, exit code {process.returncode}"
