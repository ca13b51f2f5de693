"""One pose process, several engines: each camera's frames go to its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from remi_stream.cli.ready import choose_engines
from remi_stream.config import Config, parse_config
from remi_stream.errors import UsageError
from remi_stream.messages import Bodies, Frame
from remi_stream.paths import data_file
from remi_stream.pose import stage as pose_stage
from remi_stream.pose.stage import PoseStage
from tests.pipeline.daemon import check_books, running

CLIP = str(data_file("sample.mp4"))
FULL = {"rectangle": (0.0, 0.0, 1280.0, 720.0), "size": (1280, 720)}


def pipeline(*engines: str | None, **more: Any) -> Config:
    """Cameras "a", "b", ... with these engines."""
    cameras = [{"name": name, "source": CLIP, "engine": engine} for name, engine in zip("abc", engines)]
    return parse_config({"cameras": cameras, **more})


def opened(config: Config) -> PoseStage:
    stage = PoseStage(config)
    stage.open()
    return stage


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    with av.open(CLIP) as container:
        return [picture.to_ndarray(format="bgr24") for picture, _ in zip(container.decode(video=0), range(8))]


def seen(stage: PoseStage, pictures: list[np.ndarray], *cameras: str) -> Iterator[Bodies]:
    """What is published for each image and camera in turn."""
    for frame_id, image in enumerate(pictures):
        for camera in cameras:
            at = {"epoch": 1, "frame_id": frame_id, "captured_at": frame_id / 30}
            messages = stage.step(Frame(camera=camera, image=image, **at, **FULL))
            yield next(message for message in messages if isinstance(message, Bodies))


def test_each_camera_has_its_own_engine_and_bodies_name_it(pictures: list[np.ndarray]) -> None:
    stage = opened(pipeline(None, "synthetic", boxes="truth"))
    bodies = list(seen(stage, pictures, "a", "b"))
    assert {(each.camera, each.engine) for each in bodies} == {("a", "blazepose"), ("b", "synthetic")}
    skeletons = {(each.camera, person.skeleton) for each in bodies for person in each.people}
    assert skeletons == {("a", "blazepose33"), ("b", "point")}
    assert stage.facts["engine"] == "blazepose; synthetic"
    assert stage.facts["runtime"].startswith("openvino ")
    assert stage.facts["runtime"].endswith("; none")


def test_neighbour_with_another_engine_changes_nothing(pictures: list[np.ndarray]) -> None:
    alone = seen(opened(pipeline("blazepose", boxes="truth")), pictures, "a")
    beside = seen(opened(pipeline("blazepose", "synthetic", boxes="truth")), pictures, "b", "a")
    for one, other in zip(alone, (bodies for bodies in beside if bodies.camera == "a")):
        assert [len(one.people), len(other.people)] == [1, 1]
        np.testing.assert_array_equal(one.people[0].joints_m, other.people[0].joints_m)


def test_engine_of_several_cameras_is_loaded_once_and_one_of_no_camera_never(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[tuple[object, ...]] = []
    load = pose_stage.load_engine
    monkeypatch.setattr(pose_stage, "load_engine", lambda *given: loaded.append(given) or load(*given))
    opened(pipeline("synthetic", "synthetic", threads=2))
    assert loaded == [("synthetic", 2, {}, "normal")]


def test_options_reach_the_pipelines_engine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: dict[str, object] = {}
    load = pose_stage.load_engine
    monkeypatch.setattr(
        pose_stage,
        "load_engine",
        lambda name, threads, options, sensitivity: loaded.update({name: options}) or load(name, threads, options),
    )
    opened(pipeline("blazepose", None, engine="synthetic", engine_options={"delay_s": 0.5}))
    assert loaded == {"blazepose": {}, "synthetic": {"delay_s": 0.5}}


def test_one_process_never_gets_torch_beside_openvino() -> None:
    with pytest.raises(UsageError) as error:
        choose_engines(pipeline(None, "poco-torch", "synthetic"))
    assert str(error.value) == (
        "Cameras 'b' (poco-torch) and 'a' (blazepose) would run torch and OpenVINO in one process, which slows down both. "
        "Use engines of one runtime, or run one camera in a daemon of its own: remi-stream run OTHER.yaml --name other"
    )


@pytest.mark.parametrize("engines", [("poco-torch", "pare-torch"), ("poco-torch", "synthetic"), (None, "poco", "synthetic")])
def test_engines_of_one_runtime_may_share_the_process(engines: tuple[str | None, ...]) -> None:
    assert len(choose_engines(pipeline(*engines))) == len(engines)


def test_unknown_engine_of_a_camera_is_reported_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"Unknown engine 'blazpose'. Did you mean 'blazepose'\?"):
        choose_engines(pipeline(None, "blazpose"))


def test_daemon_runs_both_engines_in_one_process(tmp_path: Path) -> None:
    clip = {"source": CLIP, "loop": True, "max_fps": 15}
    cameras = [{"name": "a", **clip}, {"name": "b", "engine": "synthetic", **clip}]
    wanted = {("a", "blazepose"), ("b", "synthetic")}
    with running(tmp_path, cameras=cameras) as daemon:
        daemon.listen(lambda: {(each.camera, each.engine) for each in daemon.bodies if each.people} >= wanted, 60)
        daemon.listen(lambda: daemon.stages["pose"].facts.get("engine") == "blazepose; synthetic")
        assert daemon.stop() == 0
    assert {(each.camera, each.engine) for each in daemon.bodies} == wanted
    for camera in "ab":
        check_books([each for each in daemon.bodies if each.camera == camera])
