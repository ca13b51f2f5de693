"""Recordings after a kill, on a full disk, and with damaged files."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from remi_stream.errors import RemiError
from remi_stream.recordings.finish import JOURNAL_FOLDER, list_recordings, recover_all, recover_recording
from remi_stream.recordings.index import read_recording_index
from remi_stream.recordings.journal import EVENTS_FILE
from remi_stream.recordings.recording import CameraRecording
from remi_stream.sinks.recorder import RecorderSink, check_recording_folder
from tests.cli.command import finish, start
from tests.recordings.recorded import arrays, configuration, newest, record
from tests.sample import bodies, person

FOLDER_BYTES = 1 << 20
RECORDER = """
import sys, time
from pathlib import Path
from tests.sample import bodies
from tests.recordings.recorded import recorder
with recorder(Path(sys.argv[1])) as made:
    for frame_id in range(10**6):
        made.step(bodies(frame_id))
        print(frame_id, flush=True)
        time.sleep(0.01)
"""


@contextlib.contextmanager
def small_disk(folder: Path, size: int = FOLDER_BYTES) -> Iterator[Path]:
    """Mount a tmpfs of some bytes."""
    if os.getuid() != 0 or not shutil.which("mount"):
        pytest.skip("needs root, to mount a small tmpfs")
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def growing(folder: Path) -> CameraRecording:
    """An unfinished recording of five frames."""
    recording = CameraRecording(folder, "front")
    for frame_id in range(5):
        recording.add_bodies(bodies(frame_id))
    recording.flush()
    return recording


def abandon(recording: CameraRecording) -> Path:
    """Leave a recording as a kill would; return its folder."""
    recording._journal.close()
    return recording.folder


def wait_for(made: RecorderSink, state: str) -> None:
    end = time.monotonic() + 10
    while made.facts["recording"] != state:
        assert time.monotonic() < end, made.facts
        time.sleep(0.01)
        made.tick(time.monotonic())


def test_killed_recorder_loses_less_than_the_last_second(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RECORDER, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stdout
    sent = [(int(next(process.stdout)), time.monotonic()) for _ in range(250)]
    killed_at = time.monotonic()
    process.send_signal(signal.SIGKILL)
    process.wait()
    index = recover_recording(newest(tmp_path))
    assert (index.clean, index.reason, index.ended_at) == (False, "the recorder was killed", None)
    due = [frame_id for frame_id, at in sent if at < killed_at - 1.0]
    assert index.frames > due[-1]
    rows = arrays(newest(tmp_path) / "track-000001.npz")
    assert rows["frame_ids"].tolist() == list(range(index.frames))


def test_next_start_finishes_what_a_killed_recorder_left(tmp_path: Path) -> None:
    left = abandon(growing(tmp_path))
    record(tmp_path, [bodies(7)])
    end = time.monotonic() + 5
    while (left / JOURNAL_FOLDER).exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert sorted(read_recording_index(path).frames for path in list_recordings(tmp_path)) == [1, 5]


def test_recording_that_is_still_written_is_left_alone(tmp_path: Path) -> None:
    recording = growing(tmp_path)
    with pytest.raises(BlockingIOError):
        recover_recording(recording.folder)
    recording.end()
    assert read_recording_index(recording.folder).frames == 5


def test_half_written_ends_of_files_are_not_read(tmp_path: Path) -> None:
    left = abandon(growing(tmp_path))
    for name in ("frames.rows", "track-000001.rows", EVENTS_FILE):
        with open(left / JOURNAL_FOLDER / name, "ab") as file:
            file.write(b'{"type":"flushed","rows":{"fra')
    index = recover_recording(left)
    assert (index.frames, index.tracks[0].rows) == (5, 5)


@pytest.mark.parametrize("cut", [1, 50, 200])
def test_cut_off_journal_gives_what_was_flushed_before(cut: int, tmp_path: Path) -> None:
    recording = growing(tmp_path)
    recording.add_bodies(bodies(9, people=[person(2)]))
    recording.flush()
    left = abandon(recording)
    events = left / JOURNAL_FOLDER / EVENTS_FILE
    os.truncate(events, events.stat().st_size - cut)
    index = recover_recording(left)
    assert index.frames == 5
    assert [track.rows for track in index.tracks] == [5]
    assert arrays(left / "frames.npz")["frame_ids"].tolist() == list(range(5))


def test_recovery_that_is_killed_itself_can_be_repeated(tmp_path: Path) -> None:
    left = abandon(growing(tmp_path))
    spare = shutil.copytree(left, tmp_path / "spare")
    recover_recording(left)
    shutil.copytree(spare / JOURNAL_FOLDER, left / JOURNAL_FOLDER)
    assert recover_recording(left).frames == 5
    assert sorted(path.name for path in left.iterdir()) == ["frames.npz", "index.json", "track-000001.npz"]


def damage(journal: Path, seed: int) -> None:
    """Cut, overwrite or remove a file of a journal, as a disk or a person might."""
    dice = random.Random(seed)
    path = dice.choice(sorted(journal.iterdir()))
    data = bytearray(path.read_bytes())
    how = dice.choice(["cut", "noise", "digit", "remove", "folder"])
    if how in ("remove", "folder"):
        path.unlink()
        if how == "folder":
            path.mkdir()
        return
    start = dice.randrange(len(data))
    if how == "cut":
        del data[start:]
    elif how == "noise":
        data[start : start + 40] = dice.randbytes(40)
    else:
        digits = [index for index, byte in enumerate(data) if 48 <= byte <= 57] or [0]
        data[dice.choice(digits)] = 57
    path.write_bytes(data)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_recording_does_not_stop_the_recovery_of_those_behind_it(seed: int, tmp_path: Path) -> None:
    first, second = (abandon(growing(tmp_path)) for _ in range(2))
    damage(first / JOURNAL_FOLDER, seed)
    recover_all(tmp_path)
    assert read_recording_index(second).frames == 5
    assert not (second / JOURNAL_FOLDER).exists()


def test_rows_before_the_damage_are_recovered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    left = abandon(growing(tmp_path))
    rows = left / JOURNAL_FOLDER / "frames.rows"
    os.truncate(rows, rows.stat().st_size * 3 // 5 + 1)
    assert recover_recording(left).frames == 3
    assert "it has 3 of 5 rows" in caplog.text


def test_folder_that_may_not_be_entered_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    abandon(growing(tmp_path))
    (tmp_path / "a loop").symlink_to("a loop")
    closed = tmp_path / "closed"
    closed.mkdir()
    exists = Path.exists

    def refuse(path: Path) -> bool:
        if path.is_relative_to(closed):  # tests may run as root, whom no folder refuses
            raise PermissionError(13, "Permission denied")
        return exists(path)

    monkeypatch.setattr(Path, "exists", refuse)
    assert recover_all(tmp_path) == 0
    assert len(list_recordings(tmp_path)) == 1


def test_command_lists_recordings_and_recovers_them(tmp_path: Path) -> None:
    left = abandon(growing(tmp_path))
    code, out, _ = finish(start("recordings", str(tmp_path)), lambda: None)
    assert code == 0
    assert out.splitlines()[1].split() == [left.name, "unfinished"]
    code, out, err = finish(start("recordings", str(tmp_path), "--recover"), lambda: None)
    assert code == 0
    assert f"recovered {left}: 5 frames" in err
    assert out.splitlines()[1].split() == [left.name, "5", "1", "0", "the", "recorder", "was", "killed"]


def test_command_on_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    code, out, err = finish(start("recordings", str(tmp_path / "none")), lambda: None)
    assert (code, out) == (2, "")
    assert err == f"remi-stream: No such folder: {tmp_path}/none. Give the folder that was given to --record\n"


def test_full_disk_ends_the_recording_and_keeps_what_was_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        made = RecorderSink(configuration(disk))
        made.open()
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(FOLDER_BYTES // 2))
        frame_id = 0
        while made.facts["recording"] != "failed":
            assert frame_id < 5000
            made.step(bodies(frame_id))
            frame_id += 1
            time.sleep(0.002)
            made.tick(time.monotonic())
        made.step(bodies(frame_id))
        made.close()
        made.tick(time.monotonic())
        assert made.counts["errors"] >= 1
        assert made.counts["dropped"] >= 1
        (recording,) = list_recordings(disk)
        assert not list(recording.glob("*.part"))
        ballast.unlink()
        check_kept(recording)


def check_kept(recording: Path) -> None:
    """Assert that the recording has all frames up to the failure, and its reason."""
    index = recover_recording(recording) if (recording / JOURNAL_FOLDER).exists() else read_recording_index(recording)
    assert (index.clean, index.reason) == (False, "No space left on device")
    assert index.frames > 100
    assert arrays(recording / "track-000001.npz")["frame_ids"].tolist() == list(range(index.frames))


def test_flush_that_fails_leaves_the_files_as_they_were(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        recording = growing(disk)
        before = {path.name: path.stat().st_size for path in (recording.folder / JOURNAL_FOLDER).iterdir()}
        for frame_id in range(5, 2000):
            recording.add_bodies(bodies(frame_id))
        with pytest.raises(OSError, match="No space left"):
            recording.flush()
        assert {path.name: path.stat().st_size for path in (recording.folder / JOURNAL_FOLDER).iterdir()} == before
        recording.end("No space left on device")
        assert (read_recording_index(recording.folder).frames, read_recording_index(recording.folder).clean) == (5, False)


def test_full_disk_at_the_start_is_one_line(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        with contextlib.suppress(OSError):
            (disk / "ballast").write_bytes(bytes(2 * FOLDER_BYTES))
        with pytest.raises(RemiError, match=r"Cannot record to .*: No space left on device\. Give a writable folder"):
            check_recording_folder(disk)


def test_disk_that_is_read_only_is_one_line(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(RemiError, match="Read-only file system"):
            check_recording_folder(disk)


def test_recording_is_tried_again_when_it_is_switched_on_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 300_000) as disk:
        made = RecorderSink(configuration(disk))
        made.open()
        with contextlib.suppress(OSError):
            (disk / "ballast").write_bytes(bytes(FOLDER_BYTES))
        made.step(bodies())
        wait_for(made, "failed")
        assert [path.name for path in disk.iterdir()] == ["ballast"]
        (disk / "ballast").unlink()
        made._switch(False)
        made._switch(True)
        made.step(bodies(1))
        wait_for(made, "on")
        made.close()
        assert read_recording_index(newest(disk)).epochs[0].frame_ids == (1, 1)


def test_npz_is_never_seen_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = abandon(growing(tmp_path))

    def fail(file: object, **arrays: np.ndarray) -> None:
        file.write(b"PK")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="No space left"):
        recover_recording(left)
    assert [path.name for path in left.iterdir()] == [JOURNAL_FOLDER]
    monkeypatch.undo()
    assert recover_recording(left).frames == 5


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_error_of_our_own_in_the_thread_ends_the_process(tmp_path: Path) -> None:
    made = RecorderSink(configuration(tmp_path))
    made.open()
    made.step("no message")  # type: ignore[arg-type]
    made._thread.join(5)
    with pytest.raises(RuntimeError, match="the recorder's thread ended with an error"):
        made.tick(time.monotonic())
