"""A real aitviewer: in a window, rendered to a video, and as a stock server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from remi_stream.messages import Bodies
from tests.browser.replay import person, replaying, truth
from tests.sinks.aitviewer.screen import screen
from tests.sinks.aitviewer.viewing import AIT_PYTHON, photograph, run_view, running, share_of, viewer, wait_for

pytestmark = pytest.mark.aitviewer
SIZE = (480, 300)
SERVER = str(Path(__file__).with_name("stock_server.py"))


def two_people(bodies: Bodies) -> Bodies:
    """Add a second person to the right of the first, from elsewhere in the clip."""
    other = person((bodies.frame_id + 100) % len(truth()["poses"]), track_id=2)
    assert other.smpl
    beside = msgspec.structs.replace(other.smpl, transl=other.smpl.transl + np.array([0.9, 0, 0.5], np.float32))
    return msgspec.structs.replace(bodies, people=[*bodies.people, msgspec.structs.replace(other, smpl=beside)])


def test_video_without_a_screen_shows_all_people_in_their_colours(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    with replaying() as replay:
        replay.change = two_people
        done = run_view("--render", str(path), "--name", replay.name, "--size", "480x270", "--duration", "4")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "showing camera sample"
    with av.open(str(path)) as video:
        images = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in video.decode(video=0)]
    assert done.stdout.splitlines()[-1] == f"{path}: {len(images)} frames"
    assert images[-1][1].shape == (270, 480, 3)
    for track_id in (1, 2):
        assert 0.01 < share_of(track_id, images[-1][1]) < 0.2, track_id
    assert share_of(7, images[-1][1]) < 0.002, "nobody else"
    assert images[-1][0] <= 4.5
    assert np.abs(images[-1][1].astype(int) - images[0][1]).max() > 60, "they move"


@pytest.mark.screen
def test_window_follows_its_daemon_and_its_keys(tmp_path: Path) -> None:
    with screen(SIZE) as seen, replaying("front", "side") as replay:
        command = viewer("--aitviewer", "--name", replay.name, "--size", "{}x{}".format(*SIZE), python=AIT_PYTHON)
        with running(command, DISPLAY=seen.display) as process:
            title = f"remi-stream {replay.name}"
            wait_for(lambda: seen.xdotool("search", "--name", title), process)
            window = seen.xdotool("search", "--name", title).split()[0]
            wait_for(lambda: "bodies/s drawn" in seen.xdotool("getwindowname", window), process)
            seen.xdotool("windowfocus", window)
            wait_for(lambda: share_of(1, seen.photograph()) > 0.03, process)
            replay.change = lambda bodies: msgspec.structs.replace(bodies, people=[])
            wait_for(lambda: share_of(1, seen.photograph()) < 0.001, process)
            replay.change = two_people
            seen.xdotool("key", "3")
            wait_for(lambda: share_of(2, seen.photograph()) > 0.008, process)
            replay.paused = True
            wait_for(lambda: "waiting for the daemon" in seen.xdotool("getwindowname", window), process)
            replay.paused = False
            wait_for(lambda: "bodies/s drawn" in seen.xdotool("getwindowname", window), process)
            seen.xdotool("key", "q")
            assert process.wait(60) == 0


@pytest.fixture(scope="module")
def smpl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a made SMPL: imported into our store home/, and where aitviewer looks for it."""
    folder = tmp_path_factory.mktemp("smpl")
    file = folder / "smpl" / "SMPL_NEUTRAL.pkl"
    subprocess.run([sys.executable, "tools/make_weights.py", "smpl_neutral", str(file)], check=True, capture_output=True)
    command = [sys.executable, "-m", "remi_stream", "models", "import", str(file)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "REMI_HOME": str(folder / "home")})
    return folder


@pytest.fixture(scope="module")
def stock_server(smpl: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """The port of a stock server, and the folder of what it draws."""
    folder = tmp_path_factory.mktemp("seen")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running([AIT_PYTHON, SERVER, str(port), str(folder), str(smpl)], OMP_NUM_THREADS="1") as server:
        assert server.stdout
        while server.stdout.readline().strip() != "open":
            assert server.poll() is None
        yield port, folder


@pytest.mark.parametrize("node", ["Meshes", "SMPLSequence"])
def test_stock_server_draws_our_body(node: str, stock_server: tuple[int, Path], smpl: Path) -> None:
    port, folder = stock_server
    seen, empty = folder / f"seen-1-{node}.png", folder / "seen-0-nobody.png"
    options = ["--aitviewer-smpl"] if node == "SMPLSequence" else []
    home = str(smpl / ("home" if options else "empty"))
    with replaying() as replay:
        command = viewer("--aitviewer-remote", f"127.0.0.1:{port}", "--name", replay.name, *options)
        with running(command, REMI_HOME=home) as feeder:
            wait_for(seen.exists, feeder)
            wait_for(lambda: share_of(1, photograph(seen)) > 0.02, feeder)
            first = photograph(seen).astype(int)
            wait_for(lambda: np.abs(photograph(seen) - first).max() > 60, feeder)
            empty.unlink(missing_ok=True)
            feeder.send_signal(signal.SIGINT)
            assert feeder.wait(30) == 0
    wait_for(empty.exists)


def test_no_screen_is_one_line(tmp_path: Path) -> None:
    with replaying() as replay:
        done = run_view("--aitviewer", "--name", replay.name)
    assert done.returncode == 3
    assert done.stderr == (
        "remi-stream: Cannot open a window: there is no screen here. "
        "Render a video with --render FILE.mp4, or use a browser: remi-stream view\n"
    )
