"""The recorder in a real daemon: killed, suspended, without room; nobody else notices."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import msgspec
import pytest

from remi_stream.config import METRICS_SERVICE, daemon_port
from remi_stream.messages import Bodies
from remi_stream.recordings.finish import JOURNAL_FOLDER, list_recordings, recover_recording
from remi_stream.recordings.index import RecordingIndex, read_recording_index
from remi_stream.transport.link import send_control_request
from tests.pipeline.daemon import SYNTHETIC, Daemon, check_books, running
from tests.recordings.recorded import arrays
from tests.recordings.test_recorder_faults import small_disk
from tests.sinks.scrape import scrape

CAMERA = {"name": "front", "source": "synthetic:?fps=30"}


def wait_until_recorded(daemon: Daemon, count: int) -> None:
    """Wait until the recorder says that it has written so many bodies messages."""
    daemon.listen(lambda: "recorder" in daemon.stages and daemon.stages["recorder"].counts.get("bodies", 0) >= count)


def finished(folder: Path, count: int) -> list[RecordingIndex]:
    """Wait until so many recordings are finished and give their indices."""
    end = time.monotonic() + 10
    while len(found := [path for path in list_recordings(folder) if not (path / JOURNAL_FOLDER).exists()]) < count:
        assert time.monotonic() < end, f"finished: {found}"
        time.sleep(0.05)
    return [read_recording_index(path) for path in found]


def check_undisturbed(bodies: list[Bodies]) -> None:
    """Assert that nothing was lost; a machine that is busy elsewhere may have left out some frames, which are counted."""
    dropped = check_books(bodies)
    assert set(dropped) <= {"capture/superseded"}
    assert dropped.total() < 0.2 * len(bodies)


def test_recording_holds_everything_that_was_published(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    with running(tmp_path, cameras=[CAMERA], record=str(folder), **SYNTHETIC) as daemon:
        daemon.listen(lambda: "recorder" in daemon.stages)
        daemon.more_bodies(60)
        assert daemon.stop() == 0
        daemon.take(0.3)
    (index,) = finished(folder, 1)
    published = [bodies.frame_id for bodies in daemon.bodies]
    recorded = arrays(list_recordings(folder)[0] / "frames.npz")["frame_ids"].tolist()
    assert set(published) <= set(recorded)
    assert (index.clean, index.camera, index.source[:9], index.fps) == (True, "front", "synthetic", 30.0)
    first, last = index.epochs[0].frame_ids
    assert last - first + 1 == index.frames + sum(
        gap.frame_ids[1] - gap.frame_ids[0] + 1 for gap in index.gaps if gap.frame_ids[0] > first
    )
    assert index.tracks
    assert {track.body for track in index.tracks} == {""}


def test_killed_recorder_costs_nobody_a_frame_and_loses_less_than_a_second(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    with running(tmp_path, cameras=[CAMERA], record=str(folder), **SYNTHETIC) as daemon:
        wait_until_recorded(daemon, 45)
        daemon.more_bodies(15)
        old = daemon.pid("recorder")
        killed_at = time.monotonic()
        os.kill(old, signal.SIGKILL)
        daemon.listen(lambda: daemon.stages["recorder"].pid != old and daemon.stages["recorder"].counts.get("bodies", 0) >= 30)
        check_undisturbed(daemon.bodies)
        assert daemon.stop() == 0
    cut, whole = sorted(finished(folder, 2), key=lambda index: index.clean)
    assert (cut.clean, cut.reason, whole.clean) == (False, "the recorder was killed", True)
    assert cut.tracks[0].captured_at[1] > killed_at - 1.0
    assert cut.epochs[0].epoch == whole.epochs[0].epoch
    assert cut.epochs[0].frame_ids[1] < whole.epochs[0].frame_ids[0]


def test_killed_daemon_leaves_a_recording_that_the_next_start_finishes(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    with running(tmp_path, cameras=[CAMERA], record=str(folder), **SYNTHETIC) as daemon:
        wait_until_recorded(daemon, 45)
        daemon.stop(signal.SIGKILL)
    with running(tmp_path, cameras=[CAMERA], record=str(folder), **SYNTHETIC) as daemon:
        wait_until_recorded(daemon, 1)
        assert daemon.stop() == 0
    assert sorted(index.clean for index in finished(folder, 2)) == [False, True]
    assert "recovered" in daemon.log()


def test_suspended_recorder_changes_nothing_for_anyone_else(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    with running(tmp_path, cameras=[CAMERA], record=str(folder), **SYNTHETIC) as daemon:
        wait_until_recorded(daemon, 30)
        old = daemon.pid("recorder")
        os.kill(old, signal.SIGSTOP)
        daemon.listen(lambda: daemon.stages["recorder"].pid != old and daemon.stages["recorder"].state == "ready")
        wait_until_recorded(daemon, 10)
        check_undisturbed(daemon.bodies)
        assert {health.restarts for name, health in daemon.stages.items() if name != "recorder"} == {0}
        assert daemon.stop() == 0
    assert len(finished(folder, 2)) == 2


def test_full_disk_stops_the_recording_and_nothing_else(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 150_000) as disk:
        folder = disk / "recordings"
        with running(tmp_path, cameras=[CAMERA], record=str(folder), metrics=True, **SYNTHETIC) as daemon:
            daemon.listen(lambda: "exporter" in daemon.stages and daemon.stages["exporter"].state == "ready")
            daemon.listen(lambda: daemon.stages["recorder"].facts.get("recording") == "failed", 60)
            daemon.more_bodies(45)
            check_metrics(daemon)
            assert daemon.log().count("recording stopped: No space left on device. All other stages continue") == 1
            check_undisturbed(daemon.bodies)
            assert daemon.status()["stages"]["recorder"]["state"] == "ready"
            assert daemon.stop() == 0
        (recording,) = list_recordings(folder)
        enlarge(disk)
        index = recover_recording(recording) if (recording / JOURNAL_FOLDER).exists() else read_recording_index(recording)
        assert (index.clean, index.reason) == (False, "No space left on device")
        assert index.frames > 30


def enlarge(disk: Path) -> None:
    """Make the disk larger."""
    subprocess.run(["mount", "-o", "remount,size=10m", disk], check=True)


def check_metrics(daemon: Daemon) -> None:
    """Assert that the metrics tell of the failure."""
    end = time.monotonic() + 5
    while True:
        found = scrape(daemon_port(daemon.name, METRICS_SERVICE))
        if found.value("remi_recorder_dropped_total") > 0:
            break
        assert time.monotonic() < end
        time.sleep(0.1)
    assert found.value("remi_recorder_state", state="failed") == 1
    assert found.value("remi_recorder_state") == 1
    assert found.value("remi_recorder_errors_total") >= 1
    assert found.value("remi_recorder_bodies_total") > 30


@pytest.mark.parametrize(
    ("folder", "code", "line"), [("file", 2, "it is not a folder"), ("/proc/none", 3, "Give a writable folder")]
)
def test_folder_that_cannot_be_recorded_to_is_one_line_at_the_start(folder: str, code: int, line: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with running(tmp_path, cameras=[CAMERA], record=str(tmp_path / folder), **SYNTHETIC) as daemon:
        assert daemon.process.wait(20) == code, daemon.log()
    last = daemon.log().strip().splitlines()[-1]
    assert last.startswith("remi-stream: Cannot record to ")
    assert line in last
    assert "Traceback" not in daemon.log()


def test_recording_is_switched_off_and_on_over_control(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    with running(tmp_path, cameras=[CAMERA], record=str(folder), **SYNTHETIC) as daemon:
        wait_until_recorded(daemon, 15)
        control = daemon.address
        for on, state in ((False, "off"), (True, "on")):
            assert send_control_request(control, {"ask": "record", "on": on}) == {"record": state}
            daemon.listen(lambda state=state: daemon.stages["recorder"].facts["recording"] == state)
            daemon.more_bodies(15)
        assert daemon.stop() == 0
    first, second = finished(folder, 2)
    assert first.clean
    assert second.clean
    assert abs(first.epochs[0].frame_ids[0] - second.epochs[0].frame_ids[0]) > 15


def test_video_is_recorded_when_it_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    with running(tmp_path, cameras=[CAMERA], record=str(folder), record_video=True, **SYNTHETIC) as daemon:
        daemon.more_bodies(60)
        assert daemon.stop() == 0
    (index,) = finished(folder, 1)
    assert index.preview == "preview.mp4"
    assert len(arrays(list_recordings(folder)[0] / "preview.npz")["frame_ids"]) >= 10
    assert msgspec.json.encode(index)
