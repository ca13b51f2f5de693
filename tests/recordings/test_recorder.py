"""Recordings: published bodies are in the files, missing frames in the index."""

from __future__ import annotations

import json
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from remi_stream.body.smpl import load_default_body
from remi_stream.errors import RemiError, UsageError
from remi_stream.messages import Bodies, Smpl
from remi_stream.pipeline import find_stage
from remi_stream.process.stage_loop import SinkLoop
from remi_stream.recordings.index import read_recording_index
from remi_stream.recordings.recording import MISSED_REASON
from remi_stream.recordings.rows import Z_UP_FROM_CAMERA
from remi_stream.recordings.writer import OVERFLOW_REASON
from remi_stream.sinks.recorder import RecorderSink
from remi_stream.stage import StageSpec
from remi_stream.transport.address import address_in
from remi_stream.transport.link import LinkContext, Publisher
from tests.clip import FPS, truth
from tests.recordings.recorded import arrays, configuration, index_of, newest, record, recorder
from tests.sample import bodies, facts, health, person

AS_PUBLISHED = {
    "scores": "score",
    "boxes_xyxy": "box_xyxy",
    "keypoints_px": "keypoints_px",
    "keypoint_scores": "keypoint_scores",
    "joints_m": "joints_m",
}


def true_bodies(k: int) -> Bodies:
    """The sample clip's person in frame k."""
    true = truth()
    smpl = Smpl(
        body="open",
        global_orient=true["poses"][k, :3],
        body_pose=true["poses"][k, 3:],
        betas=true["betas"],
        transl=true["transl"][k],
        joint_confidence=np.linspace(0, 1, 24, dtype=np.float32),
    )
    one = person(3, joints_m=true["joints_m"][k], keypoints_px=true["joints_px"][k], smpl=smpl)
    return bodies(k, captured_at=100 + k / FPS, people=[one])


def test_everything_that_was_published_comes_back_from_the_files(tmp_path: Path) -> None:
    published = [true_bodies(k) for k in range(len(truth()["poses"]))]
    config = configuration(tmp_path)
    context = LinkContext()
    publisher = Publisher(context, address_in(tmp_path))
    row = find_stage("recorder")
    order = StageSpec(stage="recorder", camera="", run_folder=str(tmp_path), supervisor_pid=0, config=config)
    loop = SinkLoop(order, row, RecorderSink(config))
    loop.open()
    assert publisher.socket.poll(5000)
    for message in published:
        publisher.publish("bodies/front", message)
        loop.run_once(time.monotonic())
    loop.drain()
    loop.close()
    context.close()
    check_truth(newest(tmp_path), published)


def check_truth(recording: Path, published: list[Bodies]) -> None:
    """Assert that every number of every person is in the recording, and nothing else."""
    index = read_recording_index(recording)
    assert (index.clean, index.frames, index.missing, index.gaps) == (True, len(published), {}, [])
    assert [(track.track_id, track.file, track.body) for track in index.tracks] == [(3, "track-000003.npz", "open")]
    found = arrays(recording / "track-000003.npz")
    assert found["frame_ids"].tolist() == [message.frame_id for message in published]
    assert found["captured_at"].tolist() == [message.captured_at for message in published]
    people = [message.people[0] for message in published]
    for stored, field in AS_PUBLISHED.items():
        assert np.array_equal(found[stored], np.array([getattr(each, field) for each in people]))
    smpl = [each.smpl for each in people if each.smpl]
    for name in ("global_orient", "transl", "joint_confidence"):
        assert np.array_equal(found[name], np.array([getattr(each, name) for each in smpl]))
    assert np.array_equal(found["poses"][:, 3:], np.array([each.body_pose for each in smpl]))
    assert np.array_equal(found["frame_betas"], np.array([each.betas for each in smpl]))


def test_amass_keys_are_the_same_body_with_z_up(tmp_path: Path) -> None:
    published = [true_bodies(k) for k in range(0, 240, 20)]
    found = arrays(record(tmp_path, published) / "track-000003.npz")
    assert (found["poses"].shape, found["trans"].shape, found["betas"].shape) == ((12, 72), (12, 3), (10,))
    assert (str(found["gender"]), float(found["mocap_framerate"])) == ("neutral", pytest.approx(FPS / 20))
    for k in range(12):
        poses = found["poses"][k]
        joints = load_default_body().joints(poses[:3], poses[3:], found["betas"], found["trans"][k])
        assert joints == pytest.approx(found["joints_m"][k] @ Z_UP_FROM_CAMERA.T, abs=2e-4)
        assert joints[15, 2] > joints[0, 2] + 0.4, "the head is above the pelvis"


def test_body_that_publishes_no_pelvis_is_turned_about_the_open_body_s(tmp_path: Path) -> None:
    published = true_bodies(30)
    smpl = published.people[0].smpl
    one = person(skeleton="blazepose33", joints=33, smpl=smpl)
    found = arrays(record(tmp_path, [bodies(people=[one])]) / "track-000001.npz")
    joints = load_default_body().joints(found["poses"][0, :3], found["poses"][0, 3:], found["betas"], found["trans"][0])
    assert joints == pytest.approx(published.people[0].joints_m @ Z_UP_FROM_CAMERA.T, abs=2e-4)


def test_person_without_smpl_keeps_joints_and_key_points(tmp_path: Path) -> None:
    one = person(skeleton="point", joints=1, smpl=None)
    recording = record(tmp_path, [bodies(k, people=[one]) for k in range(3)])
    found = arrays(recording / "track-000001.npz")
    assert found["joints_m"].tolist() == [[[0.25, -0.5, 3]]] * 3
    assert (str(found["body"]), str(found["skeleton"])) == ("", "point")
    assert not {"poses", "trans", "betas", "transl"} & set(found)


def test_frame_in_which_a_person_has_no_smpl_pose_is_nan(tmp_path: Path) -> None:
    messages = [bodies(0), bodies(1, people=[person(smpl=None)]), bodies(2)]
    found = arrays(record(tmp_path, messages) / "track-000001.npz")
    assert np.isnan(found["poses"][:, 0]).tolist() == [False, True, False]
    assert np.isfinite(found["betas"]).all()


def test_each_person_has_a_file_and_frames_without_people_are_listed(tmp_path: Path) -> None:
    messages = [bodies(0, people=[]), bodies(1, people=[person(1), person(2)]), bodies(2, people=[person(2)])]
    recording = record(tmp_path, messages)
    assert {track.track_id: track.rows for track in read_recording_index(recording).tracks} == {1: 1, 2: 2}
    assert arrays(recording / "frames.npz")["people"].tolist() == [0, 2, 1]


def test_person_whose_skeleton_changes_gets_a_second_file(tmp_path: Path) -> None:
    messages = [bodies(0, people=[person(1)]), bodies(1, people=[person(1, skeleton="blazepose33", joints=33)])]
    tracks = read_recording_index(record(tmp_path, messages)).tracks
    assert [(track.file, track.skeleton) for track in tracks] == [
        ("track-000001.npz", "smpl24"),
        ("track-000001-2.npz", "blazepose33"),
    ]


def test_index_is_json_with_camera_engine_and_times(tmp_path: Path) -> None:
    before = time.time()
    recording = record(tmp_path, [facts(source="rtsp://camera/1"), bodies(captured_at=time.monotonic())])
    index = json.loads((recording / "index.json").read_text())
    assert (index["schema"], index["camera"], index["source"], index["fps"]) == (1, "front", "rtsp://camera/1", 30.0)
    epoch = {"epoch": 1, "engine": "synthetic", "size": [640, 360], "intrinsics": [734.0, 734.0, 320.0, 180.0]}
    assert index["epochs"] == [{**epoch, "frames": 1, "frame_ids": [0, 0]}]
    wall = index["wall_minus_monotonic_s"] + index["tracks"][0]["captured_at"][0]
    assert before - 0.1 <= wall <= time.time() + 0.1
    assert msgspec.json.encode(index)


def test_index_has_camera_facts_that_arrive_after_the_first_bodies(tmp_path: Path) -> None:
    messages = [bodies(0), facts(source="", fps=0.0), bodies(1), facts(source="camera 1", camera_from_world=(1.0,) * 16)]
    index = read_recording_index(record(tmp_path, messages))
    assert (index.source, index.fps, index.camera_from_world) == ("camera 1", 30.0, (1.0,) * 16)


def test_gaps_have_the_reasons_that_the_stages_gave(tmp_path: Path) -> None:
    messages = [
        bodies(0),
        bodies(3, skipped={"capture/superseded": 2}),
        bodies(6, skipped={"pose/overflow": 1, "lost_in_crash": 1}),
    ]
    index = read_recording_index(record(tmp_path, messages))
    assert [(gap.frame_ids, gap.reasons) for gap in index.gaps] == [
        ((1, 2), {"capture/superseded": 2}),
        ((4, 5), {"pose/overflow": 1, "lost_in_crash": 1}),
    ]
    assert index.missing == {"capture/superseded": 2, "pose/overflow": 1, "lost_in_crash": 1}


def test_bodies_that_never_reached_the_recorder_are_a_gap_of_its_own(tmp_path: Path) -> None:
    index = read_recording_index(record(tmp_path, [bodies(0), bodies(5, skipped={"capture/superseded": 1})]))
    assert [(gap.frame_ids, gap.reasons) for gap in index.gaps] == [((1, 4), {"capture/superseded": 1, MISSED_REASON: 3})]


def test_new_epoch_of_a_camera_goes_on_in_the_same_recording(tmp_path: Path) -> None:
    messages = [bodies(7), bodies(8), bodies(2, epoch=2, skipped={"capture/superseded": 2}, size=(320, 180))]
    index = read_recording_index(record(tmp_path, messages))
    assert [(entry.epoch, entry.frames, entry.frame_ids, entry.size) for entry in index.epochs] == [
        (1, 2, (7, 8), (640, 360)),
        (2, 1, (2, 2), (320, 180)),
    ]
    assert [(gap.epoch, gap.frame_ids) for gap in index.gaps] == [(2, (0, 1))]


def test_what_overflows_the_buffer_is_counted_and_listed_as_a_gap(tmp_path: Path) -> None:
    made = RecorderSink(configuration(tmp_path), depth=4)
    for frame_id in (0, 1, 2, 3, 4, 6, 7, 8):  # no thread writes yet
        made.step(bodies(frame_id, skipped={"capture/superseded": 1} if frame_id == 6 else {}))
    made.tick(0.0)
    assert made.counts["dropped"] == 4
    made.open()
    while made._buffer._queue.qsize():
        time.sleep(0.01)
    made.step(bodies(10, skipped={"capture/superseded": 1}))
    made.close()
    index = index_of(tmp_path)
    assert index.frames == 5
    assert [(gap.frame_ids, gap.reasons) for gap in index.gaps] == [((4, 9), {OVERFLOW_REASON: 4, "capture/superseded": 2})]


def test_what_overflows_before_the_end_is_listed_too(tmp_path: Path) -> None:
    made = RecorderSink(configuration(tmp_path), depth=2)
    for frame_id in range(5):
        made.step(bodies(frame_id))
    made.open()
    made.close()
    index = index_of(tmp_path)
    assert (index.frames, [(gap.frame_ids, gap.reasons) for gap in index.gaps]) == (2, [((2, 4), {OVERFLOW_REASON: 3})])


def test_cameras_are_recorded_in_folders_of_their_own(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        for camera in ("left", "right"):
            made.step(bodies(camera=camera))
    assert sorted(read_recording_index(path).camera for path in tmp_path.iterdir()) == ["left", "right"]


def test_second_recording_leaves_the_first_alone(tmp_path: Path) -> None:
    first = record(tmp_path, [bodies()])
    before = {path: path.read_bytes() for path in first.iterdir()}
    second = record(tmp_path, [bodies()])
    assert first != second
    assert {path: path.read_bytes() for path in first.iterdir()} == before


def test_recording_is_switched_off_and_on_by_the_relay_s_health(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        for frame_id, wish in enumerate(("on", "on", "off", "off", "on")):
            made.step(health("relay", facts={"record": wish}))
            made.step(bodies(frame_id))
        made.step(health("relay", facts={"record": "off"}))
        wait_for_state(made, ("off",))
    found = [read_recording_index(path).epochs[0].frame_ids for path in tmp_path.iterdir()]
    assert sorted(found) == [(0, 1), (4, 4)]


def wait_for_state(made: RecorderSink, states: tuple[str, ...]) -> None:
    end = time.monotonic() + 5
    while made.facts["recording"] not in states:
        assert time.monotonic() < end, made.facts
        time.sleep(0.01)
        made.tick(time.monotonic())


def test_nothing_is_left_of_the_journal_after_a_clean_end(tmp_path: Path) -> None:
    recording = record(tmp_path, [bodies()])
    assert sorted(path.name for path in recording.iterdir()) == ["frames.npz", "index.json", "track-000001.npz"]


def test_recorder_without_messages_leaves_nothing(tmp_path: Path) -> None:
    with recorder(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_file_instead_of_a_folder_is_one_line_and_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"Cannot record to .*/file: it is not a folder\. Give a folder \(--record DIR\)"):
        RecorderSink(configuration(tmp_path / "file")).open()
    with pytest.raises(UsageError, match="it is not a folder"):
        RecorderSink(configuration(tmp_path / "file" / "deeper")).open()


def test_folder_that_cannot_be_made_is_one_line() -> None:
    with pytest.raises(RemiError, match=r"Cannot record to /proc/here: .*\. Give a writable folder"):
        RecorderSink(configuration(Path("/proc/here"))).open()


def test_restarted_recorder_that_cannot_write_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with recorder(tmp_path / "file", restarts=1) as made:
        made.step(bodies())
        wait_for_state(made, ("failed",))
    made.tick(0.0)
    assert (made.counts["errors"], made.counts["dropped"]) == (1, 1)


def test_written_bodies_and_bytes_are_counted(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        for frame_id in range(3):
            made.step(bodies(frame_id))
    made.tick(0.0)
    assert (made.counts["bodies"], made.counts["dropped"], made.counts["errors"]) == (3, 0, 0)
    assert made.counts["written_bytes"] > 3 * 1000
