"""Offline jobs: complete, reproducible, and resumed after a kill."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from remi_stream.errors import RemiError, UsageError
from remi_stream.export.registry import ExportFormat, find_export_formats
from remi_stream.messages import Bodies
from remi_stream.recordings.results import open_results
from tests.offline.seer import Counting, chain, files, opened, worked
from tests.offline.videos import film


class Killed(BaseException):
    """Simulates a kill: no code of the package catches it."""


def dying_at(frame: int, die: Callable[[], object]) -> Callable[[Bodies], None]:
    return lambda bodies: die() and None if bodies.frame_id == frame else None


def raise_killed() -> None:
    raise Killed


def test_every_frame_is_in_the_take_and_the_folder_has_nothing_else(tmp_path: Path) -> None:
    done = worked(opened(film(tmp_path / "walk.mp4")), tmp_path / "out")
    take = open_results(done.folder)
    assert [bodies.frame_id for bodies in take.frames] == list(range(20))
    assert [len(bodies.people) for bodies in take.frames] == [1] * 20
    assert {person.track_id for bodies in take.frames for person in bodies.people} == {1}
    assert (take.name, take.size, take.fps, take.source) == ("walk", (64, 48), 30.0, tmp_path / "walk.mp4")
    assert (done.frames, done.people, done.resumed) == (20, 1, 0)
    assert sorted(files(tmp_path / "out")) == [
        "walk/take/000000.msgpack",
        "walk/take/000001.msgpack",
        "walk/take/000002.msgpack",
        "walk/take/index.json",
    ]


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    path = film(tmp_path / "walk.mp4")
    first, second = (worked(opened(path), tmp_path / out, exports=find_export_formats(["npz"])).folder for out in ("a", "b"))
    assert files(first) == files(second)


@pytest.mark.parametrize("at", [0, 6, 7, 12, 13, 19])
def test_killed_run_resumes_at_the_last_chunk_and_ends_with_the_same_bytes(at: int, tmp_path: Path) -> None:
    path = film(tmp_path / "walk.mp4")
    whole = worked(opened(path), tmp_path / "whole")
    child = os.fork()
    if not child:
        worked(opened(path), tmp_path / "out", dying_at(at, lambda: os.kill(os.getpid(), signal.SIGKILL)))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert not (tmp_path / "out/walk").exists()
    seen: list[Bodies] = []
    done = worked(opened(path), tmp_path / "out", seen.append)
    assert done.resumed == at // 7 * 7
    assert len(seen) == 20 - done.resumed
    assert files(done.folder) == files(whole.folder)
    assert [person.score for bodies in open_results(done.folder).frames for person in bodies.people] == [
        1 / n for n in range(1, 21)
    ]


def test_run_with_other_options_begins_anew(tmp_path: Path) -> None:
    path = film(tmp_path / "walk.mp4")
    with pytest.raises(Killed):
        worked(opened(path), tmp_path / "out", dying_at(15, raise_killed), fingerprint="one")
    assert worked(opened(path), tmp_path / "out", fingerprint="another").resumed == 0


def test_run_that_died_in_its_exports_has_every_chunk(tmp_path: Path) -> None:
    def fail(take: object, folder: Path) -> list[Path]:
        (folder / "half").write_text("half")
        raise Killed

    path = film(tmp_path / "walk.mp4")
    with pytest.raises(Killed):
        worked(opened(path), tmp_path / "out", exports={"bad": ExportFormat("", fail)})
    assert not (tmp_path / "out/walk").exists()
    done = worked(opened(path), tmp_path / "out", exports=find_export_formats(["npz"]))
    assert done.resumed == 20
    assert [path.name for path in done.files] == ["frames.npz", "track-000001.npz"]
    assert "half" not in files(done.folder)


def test_results_that_are_replaced_stay_until_the_new_ones_are_whole(tmp_path: Path) -> None:
    path = film(tmp_path / "walk.mp4")
    before = files(worked(opened(path), tmp_path / "out").folder)
    film(path, frames=9)
    with pytest.raises(Killed):
        worked(opened(path), tmp_path / "out", dying_at(8, raise_killed))
    assert files(tmp_path / "out/walk") == before
    assert len(open_results(worked(opened(path), tmp_path / "out").folder).frames) == 9
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["walk"]


def test_full_disk_is_reported_in_one_line_and_the_run_resumes_when_there_is_room(tmp_path: Path) -> None:
    path = film(tmp_path / "walk.mp4")
    whole = worked(opened(path), tmp_path / "whole")
    largest = (whole.folder / "take/000000.msgpack").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest // 2, before[1]))
    try:
        with pytest.raises(RemiError, match=r"Cannot write .*walk: File too large\. Free space") as told:
            worked(opened(path), tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "out/walk").exists()
    assert files(worked(opened(path), tmp_path / "out").folder) == files(whole.folder)


def test_folder_that_cannot_be_made_is_reported_in_one_line(tmp_path: Path) -> None:
    path = film(tmp_path / "walk.mp4")
    with pytest.raises(RemiError, match="Cannot write /proc/nowhere/walk: No such file"):
        worked(opened(path), Path("/proc/nowhere"))
    with pytest.raises(UsageError, match="is not a folder"):
        worked(opened(path), path)


def test_folder_that_is_worked_on_is_left_alone(tmp_path: Path) -> None:
    path = film(tmp_path / "walk.mp4")

    def second(bodies: Bodies) -> None:
        with pytest.raises(RemiError, match="Another process is working on"):
            worked(opened(path), tmp_path / "out")

    assert worked(opened(path), tmp_path / "out", second).frames == 20


def test_batch_holds_people_of_several_frames_and_never_crosses_a_chunk(tmp_path: Path) -> None:
    engine = Counting(is_stateless=True)
    worked(opened(film(tmp_path / "walk.mp4")), tmp_path / "out", using=chain(engine, people=4))
    assert engine.calls_of == [4, 3, 4, 3, 4, 2]


def test_engine_with_state_gets_frame_after_frame(tmp_path: Path) -> None:
    engine = Counting()
    worked(opened(film(tmp_path / "walk.mp4")), tmp_path / "out", using=chain(engine, people=4))
    assert engine.calls_of == [1] * 20


def test_smoothed_take_is_what_is_stored_and_exported(tmp_path: Path) -> None:
    import dataclasses

    import msgspec

    def smooth(take: object) -> object:
        frames = [msgspec.structs.replace(bodies, filter="calm") for bodies in take.frames]  # type: ignore[attr-defined]
        return dataclasses.replace(take, frames=frames)  # type: ignore[type-var]

    done = worked(opened(film(tmp_path / "walk.mp4")), tmp_path / "out", smooth=smooth)
    assert {bodies.filter for bodies in open_results(done.folder).frames} == {"calm"}
