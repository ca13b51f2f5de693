"""PARE's and POCO's files, read with joblib as their users do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import msgspec
import numpy as np
import pytest

from remi_stream.body.known_bodies import load_extra_regressor, load_smpl
from remi_stream.body.smpl import Body, load_default_body
from remi_stream.errors import RemiError, UsageError
from remi_stream.export.registry import EXPORT_FORMATS, find_export_formats
from remi_stream.geometry import matrices_from_axis_angle, project
from remi_stream.messages import Person
from remi_stream.models.importer import import_file as bring
from remi_stream.models.manifest import find_model_file
from remi_stream.models.smpl_pickle import EXTRA_REGRESSOR_FILE, SMPL_FILE
from remi_stream.models.store import model_path
from remi_stream.paths import data_file
from remi_stream.pose.smpl_regressor import CROP_CAMERA_KEY, CROP_TRANSL_KEY, PERSON_VARIANCE_KEY, SQUARE_KEY, VARIANCE_KEY
from remi_stream.recordings.take import Take
from tests.clip import intrinsics, truth
from tests.export.sample_take import SIZE, bodies, flat, pictures, smpl, somebody, take_of

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
SAMPLE = str(data_file("sample.mp4"))

FILM = ["pred_cam", "orig_cam", "verts", "pose", "betas", "joints3d", "joints2d", "smpl_joints2d", "bboxes", "frame_ids"]
SHAPES: dict[str, tuple[type, tuple[int, ...]]] = {
    "pred_cam": (np.float32, (3,)),
    "orig_cam": (np.float64, (4,)),
    "verts": (np.float32, (6890, 3)),
    "pose": (np.float32, (24, 3, 3)),
    "betas": (np.float32, (10,)),
    "joints3d": (np.float32, (49, 3)),
    "smpl_joints3d": (np.float32, (49, 3)),
    "smpl_joints2d": (np.float32, (49, 2)),
    "bboxes": (np.float64, (4,)),
    "frame_ids": (np.int64, ()),
    "var": (np.float32, (24,)),
    "var_global": (np.float32, ()),
    "smpl_vertices": (np.float32, (6890, 3)),
    "pred_cam_t": (np.float32, (3,)),
    "pred_pose": (np.float32, (24, 3, 3)),
    "pred_shape": (np.float32, (10,)),
}
PICTURE = ["smpl_vertices", "smpl_joints3d", "smpl_joints2d", "pred_cam_t", "pred_pose", "pred_cam", "pred_shape"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with a body in SMPL's layout."""
    from tools.make_weights import regressor
    from tools.make_weights import smpl as write_smpl

    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REMI_HOME", str(folder))
        for name, write in (("SMPL_NEUTRAL.pkl", write_smpl(chumpy=False)), ("J_regressor_extra.npy", regressor)):
            write(folder / name, 1234)
            bring(folder / name)
    return folder


@pytest.fixture
def figure(store: Path, monkeypatch: pytest.MonkeyPatch) -> Body:
    monkeypatch.setenv("REMI_HOME", str(store))
    return load_smpl(model_path(find_model_file(SMPL_FILE)))


def made(name: str, take: Take, folder: Path) -> dict[str, Any]:
    """Each file's content by its name."""
    paths = EXPORT_FORMATS[name].write(take, folder)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {str(path.relative_to(folder)) for path in paths} == files
    return {name: joblib.load(folder / name) if name.endswith(".pkl") else (folder / name).read_text() for name in files}


def assert_shapes(content: dict[str, Any], count: int) -> None:
    for name, value in content.items():
        if name != "joints2d":
            kind, shape = SHAPES[name]
            assert (name, value.dtype, value.shape) == (name, np.dtype(kind), (count, *shape))


def two_people(k: int) -> list[Person]:
    """One person always, and another in frames 1 and 3."""
    return [somebody(k, "smpl", 3), somebody(k, "smpl", 7)] if k in (1, 3) else [somebody(k, "smpl", 3)]


@pytest.mark.parametrize(
    ("name", "file", "keys"),
    [
        ("pare", "pare_output.pkl", FILM),
        ("smpl-output", "smpl_output.pkl", FILM),
        ("poco", "poco_output.pkl", [*(key.replace("joints3d", "smpl_joints3d") for key in FILM), "var", "var_global"]),
    ],
)
def test_video_is_a_dict_of_people_with_exactly_these_keys(
    name: str, file: str, keys: list[str], figure: Body, tmp_path: Path
) -> None:
    people = made(name, take_of(two_people), tmp_path)[file]
    assert list(people) == [3, 7]
    for track_id, frames in ((3, [0, 1, 2, 3, 4]), (7, [1, 3])):
        assert list(people[track_id]) == keys
        assert_shapes(people[track_id], len(frames))
        assert people[track_id]["frame_ids"].tolist() == frames
        assert people[track_id]["joints2d"] is None


def test_numbers_are_those_of_the_body(figure: Body, tmp_path: Path) -> None:
    person = made("pare", take_of(two_people), tmp_path)["pare_output.pkl"][3]
    extra = load_extra_regressor(model_path(find_model_file(EXTRA_REGRESSOR_FILE)))
    for k in range(5):
        pose = truth()["poses"][k, :3], truth()["poses"][k, 3:], truth()["betas"]
        vertices, joints = figure.vertices(*pose, np.zeros(3)), figure.joints(*pose, np.zeros(3))
        np.testing.assert_allclose(person["verts"][k], vertices, atol=1e-6)
        np.testing.assert_allclose(person["pose"][k], matrices_from_axis_angle(truth()["poses"][k].reshape(24, 3)), atol=1e-6)
        np.testing.assert_array_equal(person["betas"][k], truth()["betas"])
        own = person["joints3d"][k]
        np.testing.assert_allclose(own[[8, 1, 4, 5, 25, 34]], joints[[0, 12, 21, 16, 8, 16]], atol=1e-6)  # 25 + 9: left shoulder
        skin = [332, 6260, 2800, 4071, 583, 3216, 3226, 3387, 6617, 6624, 6787]
        np.testing.assert_allclose(own[[0, *range(15, 25)]], vertices[skin], atol=1e-6)
        np.testing.assert_array_equal(own[44:], own[[0, 16, 15, 18, 17]])
        np.testing.assert_allclose(own[[27, 28, 37, 38, 39, 40, 41, 42, 43]], extra @ vertices, atol=1e-5)
        place_m = truth()["transl"][k]
        np.testing.assert_allclose(person["smpl_joints2d"][k], project(own.astype(float) + place_m, intrinsics()), atol=0.01)


def test_box_is_the_square_around_the_detection(figure: Body, tmp_path: Path) -> None:
    box = made("pare", take_of(two_people), tmp_path)["pare_output.pkl"][3]["bboxes"][2]
    x0, y0, x1, y1 = somebody(2).native["detected_xyxy"]
    np.testing.assert_allclose(box, [(x0 + x1) / 2, (y0 + y1) / 2, *[1.2 * max(x1 - x0, y1 - y0)] * 2], rtol=1e-6)


def test_both_weak_cameras_show_the_bodys_origin_where_it_is(figure: Body, tmp_path: Path) -> None:
    """A point at the origin falls on s (0 + t); the edges of the image, and of the square, are -1 and 1."""
    person = made("pare", take_of(two_people), tmp_path)["pare_output.pkl"][3]
    expected = project(truth()["transl"][:5].astype(float), intrinsics())
    sx, sy, tx, ty = person["orig_cam"].T
    in_picture = (np.stack([sx * tx, sy * ty], 1) + 1) * np.array(SIZE) / 2
    np.testing.assert_allclose(in_picture, expected, atol=0.01)
    s, x, y = person["pred_cam"].astype(float).T
    middle, side = person["bboxes"][:, :2], person["bboxes"][:, 2]
    np.testing.assert_allclose(middle + np.stack([s * x, s * y], 1) * side[:, None] / 2, expected, atol=0.01)
    metre = intrinsics()[0] / truth()["transl"][:5, 2]
    np.testing.assert_allclose(s * side / 2, metre, rtol=1e-5)
    np.testing.assert_allclose(sx * SIZE[0] / 2, metre, rtol=1e-5)


def with_native(k: int, **native: np.ndarray) -> list[Person]:
    person = somebody(k, "smpl")
    return [msgspec.structs.replace(person, native={**person.native, **native})]


def test_engine_with_the_crops_camera_is_drawn_with_it(figure: Body, tmp_path: Path) -> None:
    """Also in an interpolated frame, without native outputs."""
    square = np.array([640.0, 350.0, 500.0, 500.0])
    native = {SQUARE_KEY: square, CROP_CAMERA_KEY: np.ones(3), CROP_TRANSL_KEY: np.ones(3)}
    take = take_of(lambda k: with_native(k, **native) if k else [somebody(0, "smpl")])
    person = made("pare", take, tmp_path)["pare_output.pkl"][1]
    np.testing.assert_array_equal(person["bboxes"][1:], [square] * 4)
    for k in (0, 2):
        s, tx, ty = person["pred_cam"][k].astype(float)
        away = np.array([tx, ty, 2 * 5000 / (224 * s)])
        points = project(person["joints3d"][k] + away, (5000, 5000, 112, 112))  # px of a crop of 224
        x, y, side, _ = person["bboxes"][k]
        np.testing.assert_allclose(person["smpl_joints2d"][k], points * side / 224 + (x - side / 2, y - side / 2), atol=0.01)


def test_uncertainty_is_pocos_own_or_else_what_confidence_lacks(figure: Body, tmp_path: Path) -> None:
    own = np.linspace(0, 2, 24, dtype=np.float32)
    take = take_of(
        lambda k: with_native(k, **{VARIANCE_KEY: own, PERSON_VARIANCE_KEY: np.float32([0.125])}) if k else [somebody(k, "smpl")]
    )
    content = made("poco", take, tmp_path)
    person = content["poco_output.pkl"][1]
    np.testing.assert_array_equal(person["var"][1:], [own] * 4)
    np.testing.assert_array_equal(person["var_global"], np.float32([0.25, 0.125, 0.125, 0.125, 0.125]))
    np.testing.assert_allclose(person["var"][0], 1 - somebody(0).smpl.joint_confidence, atol=1e-7)
    lines = content["uncertainty.log"].splitlines()
    assert lines[:2] == ["img_f:000001.png person:01 var:0.250", "img_f:000002.png person:01 var:0.125"]
    assert len(lines) == 5


def test_pose_for_the_open_body_is_put_onto_smpl(figure: Body, tmp_path: Path) -> None:
    person = made("pare", take_of(lambda k: [somebody(k, "open")]), tmp_path)["pare_output.pkl"][1]
    np.testing.assert_array_equal(person["betas"], np.zeros((5, 10)))
    np.testing.assert_allclose(person["smpl_joints2d"][:, 8], truth()["joints_px"][:5, 0], atol=0.1)
    bones = person["joints3d"][0, [4, 7, 11, 14]] - person["joints3d"][0, [3, 6, 10, 13]]
    own = load_default_body().joints(*(getattr(smpl(0), part) for part in ("global_orient", "body_pose", "betas", "transl")))
    theirs = own[[21, 20, 8, 7]] - own[[19, 18, 5, 4]]
    cosines = (bones * theirs).sum(1) / np.linalg.norm(bones, axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosines.min() > np.cos(np.radians(1))


@pytest.mark.parametrize(
    ("name", "folder", "keys", "further"),
    [
        ("pare", "pare_results", PICTURE, set()),
        ("smpl-output", "smpl_results", PICTURE, set()),
        ("poco", "poco_results", [*PICTURE, "var", "var_global"], {"detection_results.pkl", "uncertainty.log"}),
    ],
)
def test_each_image_with_a_person_has_a_file(
    name: str, folder: str, keys: list[str], further: set[str], figure: Body, tmp_path: Path
) -> None:
    people = [two_people(0), [], two_people(1), [flat(3, "coco17")], two_people(4)]
    take = pictures(take_of(lambda k: people[k]), ["one.jpg", "two.jpg", "a.b.png", "four.jpg", "one.png"])
    content = made(name, take, tmp_path)
    assert set(content) - further == {f"{folder}/{stem}.pkl" for stem in ("one.jpg", "a.b", "one.png")}
    assert further <= set(content)
    for stem, count in (("one.jpg", 1), ("a.b", 2), ("one.png", 1)):
        assert list(content[f"{folder}/{stem}.pkl"]) == [*keys, "bboxes", "orig_cam"]
        assert_shapes(content[f"{folder}/{stem}.pkl"], count)
    np.testing.assert_allclose(content[f"{folder}/one.png.pkl"]["pred_cam_t"][0], truth()["transl"][4], rtol=1e-6)
    if further:
        assert [boxes.shape for boxes in content["detection_results.pkl"]] == [(1, 4), (0, 4), (2, 4), (0, 4), (1, 4)]
        names = [line.split()[0] for line in content["uncertainty.log"].splitlines()]
        assert names == ["img_f:one.jpg", "img_f:a.b.png", "img_f:a.b.png", "img_f:one.png"]


def test_camera_that_was_started_again_goes_on_counting(figure: Body, tmp_path: Path) -> None:
    frames = [
        bodies(k, [somebody(k, "smpl")], frame_id, epoch) for k, (frame_id, epoch) in enumerate([(4, 1), (6, 1), (0, 2), (2, 2)])
    ]
    take = Take("recording", SIZE, 30.0, frames)
    assert made("pare", take, tmp_path)["pare_output.pkl"][1]["frame_ids"].tolist() == [4, 6, 7, 9]


def test_take_without_people_is_an_empty_dict(figure: Body, tmp_path: Path) -> None:
    assert made("pare", take_of(lambda k: []), tmp_path) == {"pare_output.pkl": {}}


def test_people_without_a_pose_are_reported_and_nothing_is_written(figure: Body, tmp_path: Path) -> None:
    with pytest.raises(RemiError, match="No one in sample has a SMPL pose"):
        EXPORT_FORMATS["pare"].write(take_of(lambda k: [flat(k, "coco17")]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_file_that_cannot_be_finished_is_not_there(figure: Body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Body, "vertices", full)
    with pytest.raises(OSError, match="No space left"):
        EXPORT_FORMATS["pare"].write(take_of(two_people), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("blazepose", ["smpl_neutral is missing", "smpl.is.tue.mpg.de", "non-commercial research", "import SMPL_NEUTRAL.pkl"]),
        ("blazepose", ["j_regressor_extra is missing", "pare.is.tue.mpg.de", "import J_regressor_extra.npy"]),
        ("synthetic", ["Engine 'synthetic' estimates no poses", "remi-stream engines"]),
        ("alphapose", ["no 3D poses without VideoPose3D's weights", "remi-stream models import"]),
    ],
)
@pytest.mark.parametrize("name", ["pare", "poco", "smpl-output"])
def test_what_is_missing_is_reported_in_one_line(
    name: str, engine: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMI_HOME", str(tmp_path))
    with pytest.raises(RemiError) as raised:
        find_export_formats([name], engine)
    assert "\n" not in str(raised.value)
    for each in words:
        assert each in str(raised.value)


def test_nothing_is_missing_once_smpl_is_there(figure: Body) -> None:
    assert all(
        find_export_formats([name], engine)[name].needs_native
        for name in ("pare", "poco", "smpl-output")
        for engine in ("blazepose", None)
    )


def test_command_refuses_before_the_first_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    command = [sys.executable, "-m", "remi_stream", "video", SAMPLE, "--out", str(tmp_path / "out"), "--format", "pare"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "contain SMPL's mesh" in done.stderr
    assert not (tmp_path / "out").exists()


def test_formats_that_write_the_same_files_are_refused_together() -> None:
    with pytest.raises(UsageError, match="Formats alphapose-coco and alphapose-open write files of the same names"):
        find_export_formats(["alphapose-coco,npz", "alphapose-open"])
