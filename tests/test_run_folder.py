"""Run folders: names that are safe parts of a path, one daemon per name, and nothing removed that the run did not make."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remi_stream.cli.foreground import camera_name
from remi_stream.config import parse_config
from remi_stream.errors import RemiError, UsageError
from remi_stream.models.manifest import ModelFile, read_manifest
from remi_stream.paths import RUN_MARKER, RunFolder, find_run_folder, run_folder, running_daemons
from remi_stream.recordings.index import TrackEntry
from remi_stream.recordings.journal import TrackStarted
from remi_stream.recordings.recording import CameraRecording
from tests.pipeline.daemon import SYNTHETIC, gone, running

UNSAFE = ["", ".", "..", "../x", "a/b", "/tmp", ".hidden", "-x", "a..b", "a\n", "a b", "é", "x" * 41, "a\0b"]
TAKEN = {"name": "front", "source": "synthetic:"}


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all run folders."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "remi-stream"


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_name_is_refused_wherever_it_becomes_a_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"allowed: 1 to 40 of A-Z"):
        RunFolder(name)
    with pytest.raises(UsageError, match=r"`name` is .* allowed: 1 to 40 of A-Z"):
        parse_config({"name": name, "cameras": [TAKEN]})
    with pytest.raises(UsageError, match=r"`cameras\[0\].name` is .* allowed"):
        parse_config({"cameras": [{**TAKEN, "name": name}]})
    with pytest.raises(UsageError):
        CameraRecording(tmp_path, name)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": name, "file": "a.onnx", "licence": "MIT"}, ModelFile)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path that is short enough for sockets in folders below it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize("place", ["remi-stream", "remi-stream-hall/remi-stream"])
def test_daemon_that_was_started_in_another_environment_is_found(
    place: str, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short / place.rpartition("/")[0]))
    (short / place).mkdir(parents=True, mode=0o700)
    with run_folder("found-elsewhere") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
        assert find_run_folder("found-elsewhere") == folder.path
    assert find_run_folder("found-elsewhere") == short / "remi-stream/found-elsewhere"


def test_temporary_folder_is_searched_without_a_runtime_directory(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with run_folder("found-elsewhere") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
        assert find_run_folder("found-elsewhere") == folder.path
        folder.path.parent.chmod(0o755)
        assert find_run_folder("found-elsewhere") != folder.path, "another user could have made it"
        folder.path.parent.chmod(0o700)


@pytest.mark.parametrize("name", ["default", "hall-2", "a.b", "_x", "7", "a.lock"])
def test_ordinary_names_are_allowed(name: str) -> None:
    with run_folder(name) as folder:
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        assert running_daemons() == [name]


@pytest.mark.parametrize("file", ["../secret.npz", "/etc/passwd", "a/b.npz", ".npz", ""])
def test_files_that_a_recording_names_lie_in_its_folder(file: str) -> None:
    entry = {"track_id": 1, "file": file, "skeleton": "", "body": "", "rows": 1, "captured_at": [0.0, 1.0]}
    with pytest.raises(msgspec.ValidationError, match="matching regex"):
        msgspec.convert(entry, TrackEntry)
    track = {"type": "track", "name": file, "track_id": 1, "skeleton": "", "joints": 1, "keypoints": 1}
    with pytest.raises(msgspec.ValidationError, match="matching regex"):
        msgspec.convert(track, TrackStarted)


def test_weights_of_a_manifest_stay_in_the_store(tmp_path: Path) -> None:
    weights = '[[weights]]\nname = "x"\nfile = "../../x"\nlicence = "MIT"\n'
    text = f'what = "x"\nadapter = "x"\nlicence = "MIT"\n[runtimes.none]\n{weights}'
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(UsageError, match=r"no path has '\.\.'"):
        read_manifest(tmp_path / "x.toml")


@pytest.mark.parametrize("file", ["...mp4", ".hidden.mp4", "-x.mp4", "a..b.mp4", "Zürich 1.mp4", "..", "..."])
def test_camera_of_any_file_gets_a_safe_name(file: str) -> None:
    assert parse_config({"cameras": [{"name": camera_name(Path(file)), "source": "synthetic:"}]})


def test_name_of_dots_given_to_a_command_removes_nothing(tmp_path: Path) -> None:
    """The worst case: `--name ..` once removed the runtime folder's parent."""
    (tmp_path / "precious").write_text("x")
    command = [sys.executable, "-m", "remi_stream", "demo", "--name", "..", "--duration", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "allowed: 1 to 40 of A-Z" in done.stderr
    assert "regex" not in done.stderr
    assert (tmp_path / "precious").exists()


def test_folder_that_no_run_made_is_left_alone(parent: Path) -> None:
    (parent / "mine").mkdir(parents=True)
    parent.chmod(0o700)
    (parent / "mine" / "letter").write_text("x")
    with pytest.raises(RemiError, match=r"was not made by remi-stream .* Remove it yourself"), run_folder("mine"):
        pass
    assert (parent / "mine" / "letter").exists()
    assert running_daemons() == []


def test_link_in_place_of_a_run_folder_is_not_followed(parent: Path, tmp_path: Path) -> None:
    parent.mkdir(mode=0o700)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("x")
    (tmp_path / "home" / RUN_MARKER).write_text("x")
    (parent / "x").symlink_to(tmp_path / "home")
    with pytest.raises(RemiError, match="was not made by remi-stream"), run_folder("x"):
        pass
    assert (tmp_path / "home" / "letter").exists()


def test_link_inside_a_run_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("x")
    with run_folder("x") as folder:
        (folder.path / "link").symlink_to(tmp_path / "home")
    assert not folder.path.exists()
    assert (tmp_path / "home" / "letter").exists()


def test_folder_put_in_its_place_meanwhile_is_left_alone() -> None:
    with run_folder("x") as folder:
        shutil.rmtree(folder.path)
        folder.path.mkdir()
        (folder.path / "letter").write_text("x")
        assert not folder.is_intact()
    assert (folder.path / "letter").exists()


def test_folder_of_a_dead_daemon_is_replaced(parent: Path) -> None:
    dead = RunFolder("x")
    dead.open()
    os.close(dead._lock)  # as the kernel does when it dies
    (dead.path / "socket").write_text("")
    with run_folder("x") as folder:
        assert folder.is_intact()
        assert [path.name for path in folder.path.iterdir()] == [RUN_MARKER]
    assert list(parent.iterdir()) == []


def test_removed_run_folder_is_made_again() -> None:
    with run_folder("x") as folder:
        shutil.rmtree(folder.path.parent)
        assert not folder.is_intact()
        folder.restore()
        assert folder.is_intact()
        with pytest.raises(RemiError, match="already running"), run_folder("x"):
            pass
    assert list(folder.path.parent.iterdir()) == []


@pytest.mark.parametrize("step", ["os.open", "Path.mkdir"])
def test_start_that_dies_in_the_middle_does_not_block_the_name(step: str, parent: Path) -> None:
    code = f"""
import os
from pathlib import Path
from remi_stream.paths import RunFolder
folder, do = RunFolder("run"), {step}
folder._acquire_lock()
def do_and_die(*arguments, **options):
    do(*arguments, **options)
    os.kill(os.getpid(), 9)
{step} = do_and_die
folder._make()
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    with run_folder("run") as folder:
        assert folder.is_intact()
        assert sorted(path.name for path in parent.iterdir()) == [".run.lock", "run"]
    assert list(parent.iterdir()) == []


def test_full_disk_at_the_start_is_one_line_and_leaves_nothing(parent: Path) -> None:
    code = """
import resource
from remi_stream.errors import RemiError
from remi_stream.paths import RunFolder
resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes}, resource.RLIM_INFINITY))
try:
    RunFolder("run").open()
except RemiError as error:
    print(error)
"""
    for size, file in ((0, ".run.lock"), (8, "run")):
        result = subprocess.run([sys.executable, "-c", code.format(bytes=size)], capture_output=True, text=True, check=True)
        assert f"{parent}/{file}: File too large. " in result.stdout
        assert result.stdout.count("\n") == 1
        assert list(parent.iterdir()) == []


def test_link_in_the_temporary_directory_is_refused(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    (short / "elsewhere").mkdir(mode=0o700)
    link = short / f"remi-stream-{os.getuid()}"
    link.symlink_to(short / "elsewhere")
    with pytest.raises(RemiError, match="must belong to you alone"):
        RunFolder("run")
    link.unlink()
    RunFolder("run")


def test_lock_file_that_its_owner_removes_meanwhile_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last owner removes its lock between the opening and the locking of a starter; another starter makes a new file."""
    first, second = RunFolder("x"), RunFolder("x")
    flock = fcntl.flock

    def race(lock: int, how: int) -> None:
        monkeypatch.setattr("remi_stream.paths.fcntl.flock", flock)
        first.path.with_name(".x.lock").unlink()
        second.open()
        flock(lock, how)

    monkeypatch.setattr("remi_stream.paths.fcntl.flock", race)
    with pytest.raises(RemiError, match="already running"):
        first.open()
    assert second.is_intact()
    second.close()


def _hold(go: Any, held: Any, runs: Any, overlaps: Any) -> None:
    go.wait()
    for _ in range(300):
        try:
            with run_folder("x"):
                with held.get_lock():
                    held.value += 1
                    runs.value += 1
                    overlaps.value += held.value > 1
                with held.get_lock():
                    held.value -= 1
        except RemiError:
            pass


def test_starters_at_the_same_time_never_share_a_name() -> None:
    context = multiprocessing.get_context("fork")
    go, (held, runs, overlaps) = context.Event(), (context.Value("i", 0) for _ in range(3))
    starters = [context.Process(target=_hold, args=(go, held, runs, overlaps)) for _ in range(4)]
    for starter in starters:
        starter.start()
    go.set()
    for starter in starters:
        starter.join(60)
        assert starter.exitcode == 0
    assert runs.value > 1, "a name is free again after a run"
    assert overlaps.value == 0


def test_relay_of_a_dead_supervisor_leaves_the_folder_of_the_next_daemon_alone(tmp_path: Path) -> None:
    """A new daemon may start in the moment between the supervisor's death and the relay's clearing up."""
    with running(tmp_path, cameras=[TAKEN], **SYNTHETIC) as daemon:
        daemon.more_bodies(3)
        relay = daemon.pid("relay")
        os.kill(relay, signal.SIGSTOP)
        daemon.stop(signal.SIGKILL)
        os.environ["XDG_RUNTIME_DIR"] = str(daemon.runtime)
        with run_folder(daemon.name) as folder:
            os.kill(relay, signal.SIGCONT)
            assert gone(daemon.name)
            assert folder.is_intact()
            time.sleep(0.1)
            assert folder.is_intact()
