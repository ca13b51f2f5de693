"""The scores of real footage are right where the truth is known: on the sample clip, labelled as COCO and Pose2Sim do."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from remi_stream.capture.footage import make_frame
from remi_stream.config import parse_config
from remi_stream.skeletons import JOINT_NAMES, LIMB_JOINTS
from tests import clip, sample
from tests.offline.videos import encode

TOOLS = Path(__file__).resolve().parents[2] / "tools"
FRAMES = 16
WORLD_TURN = np.array([1.2, -0.4, 0.3])
"""Rotation vector of the made-up world, in whose axes the truth is written."""


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(TOOLS))
    import real_footage

    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    return real_footage


def run(tool: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run the tool; return what it writes as JSON."""
    out = Path(str(arguments[1])).parent / "figures.json"
    monkeypatch.setattr(sys, "argv", ["real_footage.py", *map(str, arguments), "--json", str(out)])
    tool.main()
    assert "nan" not in capsys.readouterr().out
    return json.loads(out.read_text())


def true_silhouette(frame: int) -> np.ndarray:
    from footage.silhouette import vertices_silhouette

    from remi_stream.body.smpl import load_default_body

    true = clip.truth()
    pose = true["poses"][frame]
    vertices = load_default_body().vertices(pose[:3], pose[3:], true["betas"], true["transl"][frame])
    return vertices_silhouette(vertices, clip.intrinsics(), clip.frames()[frame].shape[1::-1])


def label_file(folder: Path, shift_px: float = 0.0) -> Path:
    """Two pictures of the sample clip with the labels of its truth, moved to the right; a third without people."""
    images: list[dict[str, Any]] = []
    people = []
    for frame in (10, 70):
        cv2.imwrite(str(folder / f"{frame}.png"), clip.frames()[frame])
        points = clip.truth()["joints_px"][frame] + [shift_px, 0]
        low, high = points.min(0) - 20, points.max(0) + 20
        outline = cv2.findContours(true_silhouette(frame).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
        people.append(
            {
                "image_id": frame,
                "category_id": 1,
                "keypoints": np.column_stack([points, np.full(24, 2)]).ravel().tolist(),
                "bbox": [*low.tolist(), *(high - low).tolist()],
                "segmentation": [max(outline, key=len).ravel().tolist()],
            }
        )
        images.append({"id": frame, "file_name": f"{frame}.png"})
    cv2.imwrite(str(folder / "empty.png"), np.full((240, 320, 3), 127, np.uint8))
    images.append({"id": 0, "file_name": "empty.png"})
    # as other data sets write the names
    names = [name.replace("_", " ").title() for name in JOINT_NAMES["smpl24"]]
    path = folder / "labels.json"
    path.write_text(
        json.dumps({"images": images, "annotations": people, "categories": [{"id": 1, "name": "person", "keypoints": names}]})
    )
    return path


def test_labelled_people_are_found_with_key_points_and_silhouettes(
    tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = label_file(tmp_path)
    score = run(tool, monkeypatch, capsys, "pictures", path, "--draw", tmp_path / "drawn")[str(path)]
    assert (score["pictures"], score["labelled"], score["found"], score["extra"], score["masks"]) == (3, 2, 2, 0, 2)
    assert score["pck"] > 0.95
    assert score["silhouette_iou"] > 0.7
    drawn = cv2.imread(str(tmp_path / f"drawn/labels/{tmp_path.name}-10.png"))
    assert drawn is not None
    changed = (drawn != clip.frames()[10]).any(2)
    assert changed[true_silhouette(10)].mean() > 0.7


def test_body_beside_the_labelled_person_is_an_extra_one(
    tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = label_file(tmp_path, shift_px=300)
    monkeypatch.setattr(tool, "number", lambda value, width, decimals: "")
    score = run(tool, monkeypatch, capsys, "pictures", path, tmp_path)
    assert (score[str(path)]["found"], score[str(path)]["extra"]) == (0, 2)
    assert score[str(tmp_path)]["extra"] == 2, "every body is one in pictures without labels"


def session(folder: Path) -> Path:
    """The first frames of the sample clip and its truth as a folder of Pose2Sim's, in a turned world with z up."""
    for name in ("calibration", "videos", "pose-3d"):
        (folder / name).mkdir(parents=True)
    true = clip.truth()
    encode(folder / "videos/cam1.mp4", clip.frames()[:FRAMES])
    rotation, translation = cv2.Rodrigues(WORLD_TURN)[0], np.array([0.1, 0.2, 0.3])
    (folder / "calibration/Calib.toml").write_text(
        f"[cam_1]\nname = 'cam_1'\nmatrix = {true['K'].tolist()}\ndistortions = [0.0, 0.0, 0.0, 0.0]\n"
        f"rotation = {WORLD_TURN.tolist()}\ntranslation = {translation.tolist()}\n[metadata]\nadjusted = false\n"
    )
    joints = true["joints_m"][:FRAMES, list(clip.SMPL)].astype(float)
    world = (joints - translation) @ rotation
    sides = [name.split("_") for name in LIMB_JOINTS]
    markers = "\t\t\t".join(side[0].upper() + joint.title() for side, joint in sides)
    y_up = world[..., [1, 2, 0]].reshape(FRAMES, -1)
    rows = [f"{n + 1}\t{n / 30}\t" + "\t".join(map(str, row)) for n, row in enumerate(y_up)]
    header = ["PathFileType\t4\t(X/Y/Z)\tman.trc", "DataRate", "30", f"Frame#\tTime\t{markers}\t\t\t", "\t\tX1\tY1\tZ1"]
    (folder / "pose-3d/man.trc").write_text("\n".join([*header, *rows]))
    return folder


def test_session_of_pose2sim_is_scored_live_and_offline(
    tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = session(tmp_path / "good")
    scores = run(tool, monkeypatch, capsys, "pose2sim", folder, "--config", "filter=none")
    assert [key.rpartition(": ")[2] for key in scores] == ["live, unfiltered", "live, none", "offline"]
    for key, score in scores.items():
        assert score["found"] >= FRAMES - 4, key
        assert score["ids"] == 1
        assert score["pa_mpjpe_mm"] < 70
        assert score["true_acceleration_mm"] < score["acceleration_mm"] < 40
    live, again, offline = scores.values()
    assert live == again, "without a filter both are the same"
    assert live["first_body_s"] > offline["first_body_s"] == 0


def test_person_elsewhere_is_not_found(tool: Any) -> None:
    from footage.motion import match_person

    here = clip.truth()["joints_px"][0, list(clip.SMPL)]
    keypoints = np.full((33, 2), 5, np.float32)
    keypoints[list(clip.BLAZEPOSE)] = here
    people = [sample.person(k, "blazepose33", 33, keypoints_px=points) for k, points in ((1, keypoints + 500), (2, keypoints))]
    seen = sample.bodies(0, 0.0, people=people)
    found = match_person(seen, here + 10)
    assert found is not None
    assert found.track_id == 2
    assert match_person(seen, here + 200) is None


def test_error_of_a_known_offset_and_turn_is_measured(tool: Any) -> None:
    from footage.motion import pa_mpjpe_mm, turns_deg

    truth = clip.truth()["joints_m"][:5, list(clip.SMPL)].astype(float)
    assert pa_mpjpe_mm(2 * truth @ cv2.Rodrigues(WORLD_TURN)[0].T + 1, truth) == pytest.approx(0, abs=1e-6)
    wrong = truth.copy()
    wrong[:, 0] += [0, 0, 0.12]
    assert 3 < pa_mpjpe_mm(wrong, truth) < 30
    assert len(turns_deg({})) == 0


def test_live_simulation_drops_frames_that_the_pose_stage_is_too_slow_for(tool: Any) -> None:
    from footage.live import LiveSimulation

    config = parse_config({"cameras": [{"name": "video", "source": "synthetic"}], "engine": "synthetic", "detector": "synthetic"})
    frames = [make_frame("video", n, n / 30, np.zeros((48, 64, 3), np.uint8), None) for n in range(30)]
    every = [each.raw for each in LiveSimulation(config).run(iter(frames))]
    assert [bodies.frame_id for bodies in every] == list(range(30))
    assert [len(bodies.people) for bodies in every[:2]] == [0, 1], "the first detection arrives after the first frame"
    half = [each.raw.frame_id for each in LiveSimulation(config, step_s=0.06).run(iter(frames))]
    assert half == list(range(0, 30, 2))


def run_lengths_text(counts: list[int]) -> str:
    """COCO's text of run lengths."""
    text = ""
    for index, count in enumerate(counts):
        value = count - (counts[index - 2] if index > 2 else 0)
        while True:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
            if not more:
                break
    return text


def test_run_lengths_are_decoded_as_numbers_and_as_text(tool: Any) -> None:
    from footage.coco import decode_run_lengths

    mask = np.zeros((60, 50), bool)
    mask[10:55, 20:44] = True
    mask[30, 5:] = True
    steps = np.flatnonzero(np.diff(mask.T.ravel().astype(int), prepend=0))
    counts = np.diff(np.concatenate([[0], steps, [mask.size]])).tolist()
    for form in (counts, run_lengths_text(counts)):
        np.testing.assert_array_equal(decode_run_lengths({"size": [60, 50], "counts": form}), mask)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("pictures", "labels.json", "is no COCO key point file"),
        ("pictures", "folder", "No pictures in"),
        ("pose2sim", "folder", "has 0 calibrations"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    tool: Any,
    kind: str,
    name: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "labels.json").write_text("[]")
    monkeypatch.setattr(sys, "argv", ["real_footage.py", kind, str(tmp_path / name)])
    with pytest.raises(SystemExit) as ended:
        tool.main()
    assert ended.value.code == 3
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
