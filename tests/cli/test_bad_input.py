"""User errors: one line each, the right exit code, no traceback, nothing left behind."""

from __future__ import annotations

import ctypes.util
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from remi_stream.config import METRICS_SERVICE, daemon_port
from tests.pipeline.daemon import SYNTHETIC, orphans, running

CAMERA = {"name": "front", "source": "synthetic:?fps=30"}


def remi(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with a runtime folder of its own, which must be empty afterwards."""
    with tempfile.TemporaryDirectory(prefix="r") as runtime:
        env = {**os.environ, "XDG_RUNTIME_DIR": runtime, "COLUMNS": "200", **environment}
        command = [sys.executable, "-m", "remi_stream", *arguments]
        result = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
        assert [path for path in Path(runtime).rglob("*") if not path.is_dir() or path.name != "remi-stream"] == []
    return result


def pipeline(folder: Path, **values: object) -> str:
    path = folder / "p.yaml"
    path.write_text(yaml.safe_dump({"cameras": [CAMERA], "metrics": False, **SYNTHETIC, **values}))
    return str(path)


def assert_one_line(result: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    lines = [line for line in result.stderr.splitlines() if line.startswith("remi-stream: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert all(word in lines[0] for word in words), lines[0]
    assert result.returncode == code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["vidoe"], ["No such command 'vidoe'", "'video'"]),
        (["demo", "--enginge", "x"], ["No such option: --enginge", "--engine", "demo --help"]),
        (["demo", "--duration", "soon"], ["--duration", "valid number"]),
        (["demo", "--max-people", "0"], ["--max-people", "greater than or equal to 1"]),
        (["demo", "--name", "a/b"], ["`name` is 'a/b'", "allowed: 1 to 40 of A-Z"]),
        (["demo", "--engine", "blazepoze"], ["blazepoze", "blazepose"]),
        (["demo", "--detector", "blazepoze"], ["blazepoze", "blazepose"]),
        (["video"], ["Missing argument"]),
        (["video", "none.mp4", "--realtime"], ["No such video file: none.mp4"]),
        (["run", "none.yaml"], ["Cannot read none.yaml"]),
    ],
)
def test_mistake_in_the_command_line_is_one_line_and_exit_code_2(arguments: list[str], words: list[str]) -> None:
    assert_one_line(remi(*arguments), 2, *words)


def test_unknown_key_of_a_pipeline_file_is_named(tmp_path: Path) -> None:
    result = remi("run", pipeline(tmp_path, enigne="poco"))
    assert_one_line(result, 2, "there is no key `enigne`. Did you mean `engine`?", "Keys: name, cameras, engine")


def test_file_that_is_no_video_is_refused_and_no_process_is_left(tmp_path: Path) -> None:
    video = tmp_path / "clip.mp4"
    video.write_bytes(b"no video" * 1000)
    camera = {"name": "clip", "source": str(video)}
    result = remi("run", pipeline(tmp_path, cameras=[camera], name="novideo"))
    assert_one_line(result, 3, "cannot be read as a video")
    assert orphans("novideo") == []


def test_camera_that_cannot_be_opened_ends_the_start_with_exit_code_3(tmp_path: Path) -> None:
    camera = {**CAMERA, "source": "synthetic:?refuse=true"}
    result = remi("run", pipeline(tmp_path, cameras=[camera], name="refuses"))
    assert_one_line(result, 3, "refuses to open")
    assert orphans("refuses") == []


def test_port_in_use_stops_only_the_metrics_until_it_is_free(tmp_path: Path) -> None:
    with socket.socket() as taken, running(tmp_path, cameras=[CAMERA], metrics=True, **SYNTHETIC) as daemon:
        port = daemon_port(daemon.name, METRICS_SERVICE)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))  # before the daemon has read its configuration
        taken.listen()
        daemon.more_bodies(5)
        daemon.listen(lambda: daemon.stages["exporter"].state == "failed")
        assert f"Port {port} is in use" in daemon.stages["exporter"].reason
        assert "--name" in daemon.log()
        taken.close()
        daemon.listen(lambda: daemon.stages["exporter"].state == "ready")


def test_second_daemon_of_a_name_is_refused_and_the_first_continues(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA], **SYNTHETIC) as daemon:
        daemon.more_bodies(5)
        command = [sys.executable, "-m", "remi_stream", "run", pipeline(tmp_path), "--name", daemon.name]
        env = {**os.environ, "XDG_RUNTIME_DIR": str(daemon.runtime)}
        second = subprocess.run(command, capture_output=True, text=True, env=env, timeout=30)
        assert_one_line(second, 3, f"named '{daemon.name}' is already running (process {daemon.process.pid})", "--name")
        daemon.more_bodies(5)


def test_runtime_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open" / "remi-stream").mkdir(parents=True)
    (tmp_path / "open" / "remi-stream").chmod(0o755)
    result = remi("run", pipeline(tmp_path), XDG_RUNTIME_DIR=os.path.relpath(tmp_path / "open"))
    assert_one_line(result, 3, "must belong to you alone")


def test_engine_for_a_gpu_that_is_not_here_is_one_line_before_anything_starts(tmp_path: Path) -> None:
    if ctypes.util.find_library("cuda"):
        pytest.skip("there is an NVIDIA driver here")
    result = remi("demo", "--engine", "poco-trt", REMI_HOME=str(tmp_path))
    assert_one_line(result, 3, "poco-trt needs an NVIDIA GPU", "Without one: poco-ov")
    assert result.stdout == ""
    assert "poco_cliff" not in result.stderr


def test_engine_without_its_weights_is_reported_with_their_source(tmp_path: Path) -> None:
    result = remi("demo", "--engine", "poco", REMI_HOME=str(tmp_path))
    assert_one_line(result, 3, "poco_cliff", "https://poco.is.tue.mpg.de", "remi-stream models import poco_cliff.pt")
