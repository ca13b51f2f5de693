"""A source that a package of the user's adds by entry point, run through the capture stage."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib
import yaml

from remi_stream.capture.stage import make_capture_stage
from remi_stream.config import CameraConfig, Config, check_source, parse_config
from remi_stream.errors import UsageError
from remi_stream.messages import CameraFacts, Frame
from remi_stream.pipeline import pipeline_processes
from remi_stream.sources import find_source
from remi_stream.stage import StageSpec

PACKAGE = """
import time
import numpy as np
from remi_stream.capture.source import CapturedImage
from remi_stream.errors import UsageError

class SlideShow:
    fps, state = 10.0, "starting"

    def __init__(self, images):
        if not images.isdigit():
            raise UsageError(f"slides:{images}: give a number of images")
        self.description, self.images = f"{images} slides", int(images)

    def open(self):
        self.shown = 0

    def read(self):
        if self.shown == self.images:
            raise EOFError
        self.state, self.shown = "live", self.shown + 1
        return CapturedImage(np.full((36, 64, 3), self.shown, np.uint8), time.monotonic(), self.shown / self.fps)

    def close(self):
        self.state = "ended"

def make_slide_show(camera, *, restarted=False):
    return SlideShow(camera.source.partition(":")[2])
"""


def install(folder: Path, name: str, modules: dict[str, str], entry_points: str) -> None:
    """Write a package as it is installed: its modules, and metadata with its entry points."""
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "slide_show", {"slide_show": PACKAGE}, "[remi_stream.sources]\nslides = slide_show:make_slide_show\n")
    monkeypatch.syspath_prepend(tmp_path)


def capture(config: Config, frames: int) -> list[Frame | CameraFacts]:
    """Run the capture stage of the only camera until it has so many frames, or ends."""
    camera = config.cameras[0].name
    stage = make_capture_stage(StageSpec(stage="capture", camera=camera, run_folder="", supervisor_pid=0, config=config))
    stage.open()
    messages: list[Frame | CameraFacts] = []
    while sum(isinstance(message, Frame) for message in messages) < frames and (step := stage.step()) is not None:
        messages += step
    stage.close()
    return messages


def test_source_of_another_package_is_captured(package: None) -> None:
    config = parse_config({"cameras": [{"name": "talk", "source": "slides:3"}], "engine": "synthetic"})
    stages = [row.name for row, _ in pipeline_processes(config)]
    assert stages[:3] == ["capture", "detect", "pose"]
    assert config.engine_by_camera == {"talk": "synthetic"}
    check_source(config.cameras[0])
    messages = capture(config, frames=99)
    frames = [message for message in messages if isinstance(message, Frame)]
    shown = [(frame.frame_id, int(frame.image[0, 0, 0]), frame.size) for frame in frames]
    assert shown == [(0, 1, (64, 36)), (1, 2, (64, 36)), (2, 3, (64, 36))]
    facts = [message for message in messages if isinstance(message, CameraFacts)]
    assert (facts[-1].source, facts[-1].state, facts[-1].fps) == ("3 slides", "ended", 10.0)


def test_check_of_a_plugin_runs_before_any_process_starts(package: None) -> None:
    with pytest.raises(UsageError, match="slides:many: give a number of images"):
        check_source(CameraConfig(name="talk", source="slides:many"))


SDK = """
import time
import numpy as np
class Camera:
    fps = 25.0
    def next_image(self, timeout_s):
        time.sleep(1 / self.fps)
        return np.zeros((36, 64, 3), np.uint8)
    def close(self): pass
def connect(serial): return Camera() if serial == "4711" else None
"""


def test_example_of_the_docs_is_captured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs/extend/sources.md").read_text()
    module, project, pipeline = re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)
    entry_points = tomllib.loads(project)["project"]["entry-points"]["remi_stream.sources"]
    lines = [f"{name} = {value}" for name, value in entry_points.items()]
    install(tmp_path, "my_camera", {"my_camera": module, "my_sdk": SDK}, "\n".join(["[remi_stream.sources]", *lines, ""]))
    monkeypatch.syspath_prepend(tmp_path)
    config = parse_config({**yaml.safe_load(pipeline), "engine": "synthetic"})
    check_source(config.cameras[0])
    messages = capture(config, frames=3)
    assert [message.size for message in messages if isinstance(message, Frame)] == [(64, 36)] * 3
    assert {message.source for message in messages if isinstance(message, CameraFacts)} == {"mycam 4711"}
    with pytest.raises(UsageError, match="mycam:left: give the camera's serial number"):
        check_source(CameraConfig(name="left", source="mycam:left"))


@pytest.mark.parametrize(
    ("source", "name", "stage"),
    [
        ("rtsp://camera/1", "rtsp", "capture"),
        ("rtsps://camera/1", "rtsp", "capture"),
        ("http://camera/1", "http", "capture"),
        ("rtmp://camera/1", "rtsp", "capture"),  # is refused there, with what is allowed
        ("/dev/video0", "webcam", "capture"),
        ("walk.mp4", "file", "capture"),
        ("at 12:30.mp4", "file", "capture"),
        ("/", "images", "capture"),
        ("synthetic:?fps=5", "synthetic", "capture"),
        ("remi:127.0.0.1:9999", "remi", "remi_source"),
        ("recording:walk", "recording", "replay"),
    ],
)
def test_kind_of_a_source(source: str, name: str, stage: str) -> None:
    kind = find_source(source)
    assert (kind.name, kind.stage, kind.gives_bodies) == (name, stage, stage != "capture")


def test_camera_of_bodies_needs_no_pose_engine() -> None:
    config = Config(cameras=(CameraConfig(name="again", source="recording:walk"),), metrics=False)
    assert [row.name for row, _ in pipeline_processes(config)] == ["replay", "relay"]
    assert (config.engine_by_camera, config.body_sources) == ({}, {"again": "recording"})


def test_tables_import_nothing_heavy() -> None:
    code = (
        "import sys, remi_stream.pipeline, remi_stream.config\n"
        "print([name for name in ('cv2', 'av', 'scipy', 'openvino', 'zmq', 'remi_stream.capture') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
