"""A fake relay that plays the sample clip and its truth: bodies at 30 per second, previews, facts and health; no engine."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import cv2
import msgspec
import numpy as np

from remi_stream.messages import Bodies, Frame, Health, Person, Smpl
from remi_stream.paths import data_file, run_folder
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import ControlServer, LinkContext, Publisher
from tests.sample import facts, health

FPS = 30
PREVIEW_EVERY = 3
SIZE = (1280, 720)
SMALL = (640, 360)

Change = Callable[[Bodies], Bodies]

BESIDE_PX = 320
"""Offset of the second person to the right, px."""
HOPS_S = {"capture": 0.008, "pose_in": 0.010, "pose": 0.030, "relay_in": 0.031, "relay": 0.033}


@cache
def truth() -> dict[str, np.ndarray]:
    with np.load(data_file("sample_truth.npz")) as stored:
        return {name: stored[name] for name in stored.files}


@cache
def preview_images() -> list[np.ndarray]:
    """The clip's frames as the relay previews them: JPEG bytes, 640 px wide."""
    capture = cv2.VideoCapture(str(data_file("sample.mp4")))
    made = []
    while (image := capture.read()[1]) is not None:
        made.append(cv2.imencode(".jpg", cv2.resize(image, SMALL, interpolation=cv2.INTER_AREA))[1].ravel())
    return made


def person(k: int, track_id: int = 1) -> Person:
    """The true person of a frame."""
    poses, joints_px = truth()["poses"][k], truth()["joints_px"][k]
    smpl = Smpl(
        body="open",
        global_orient=poses[:3],
        body_pose=poses[3:],
        betas=np.zeros(10, np.float32),
        transl=truth()["transl"][k],
        joint_confidence=np.ones(24, np.float32),
    )
    return Person(
        track_id=track_id,
        score=1.0,
        box_xyxy=np.concatenate([joints_px.min(0), joints_px.max(0)]),
        skeleton="smpl24",
        keypoints_px=joints_px,
        keypoint_scores=np.ones(24, np.float32),
        joints_m=truth()["joints_m"][k],
        smpl=smpl,
    )


def beside(k: int, track_id: int = 2) -> Person:
    """A copy of the true person to the right, with lower scores."""
    first, K = person(k, track_id), truth()["K"]
    assert first.smpl is not None
    away_m = np.float32(BESIDE_PX / K[0, 0]) * first.joints_m[:, 2:] * np.array([[1, 0, 0]], np.float32)
    moved = msgspec.structs.replace(first.smpl, transl=first.smpl.transl + away_m[0])
    beside_px = np.array([BESIDE_PX, 0], np.float32)
    return msgspec.structs.replace(
        first,
        score=0.62,
        keypoints_px=first.keypoints_px + beside_px,
        keypoint_scores=np.linspace(0.35, 1, 24, dtype=np.float32),
        joints_m=first.joints_m + away_m,
        smpl=moved,
    )


def two(message: Bodies) -> Bodies:
    """A change that adds a second person."""
    return msgspec.structs.replace(message, people=[*message.people, beside(message.frame_id % len(truth()["poses"]))])


def bodies(frame_id: int, camera: str = "sample") -> Bodies:
    """The true bodies of a frame; the clip repeats."""
    K = truth()["K"]
    now = time.monotonic()
    return Bodies(
        camera=camera,
        epoch=7,
        frame_id=frame_id,
        captured_at=now - 0.04,
        stamps={hop: now - 0.04 + took_s for hop, took_s in HOPS_S.items()},
        engine="truth",
        size=SIZE,
        intrinsics=(float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])),
        people=[person(frame_id % len(truth()["poses"]))],
    )


def preview(frame_id: int, camera: str = "sample") -> Frame:
    """The preview of a frame."""
    return Frame(
        camera=camera,
        epoch=7,
        frame_id=frame_id,
        captured_at=time.monotonic() - 0.04,
        image=preview_images()[frame_id % len(preview_images())],
        size=SIZE,
        rectangle=(0.0, 0.0, float(SIZE[0]), float(SIZE[1])),
        encoding="jpeg",
    )


class Replay:
    """Plays on a thread. change: applied to bodies before they are published. paused: publishes nothing. still: repeats a frame.

    watched: cameras with a subscriber of their previews. previewed: number of published previews. more: fields of the facts.
    states: of cameras that are not live; "" for one that was never seen. stages: published health.
    asked: all control requests but status; answers: by request.
    """

    def __init__(self, cameras: tuple[str, ...]) -> None:
        self.name = f"t{secrets.token_hex(4)}"
        self.cameras = cameras
        self.change: Change = lambda bodies: bodies
        self.paused = self.still = False
        self.frame_id = 0
        self.previewed = 0
        self.watched: set[str] = set()
        self.more: dict[str, Any] = {}
        self.states: dict[str, str] = {}
        self.asked: list[dict[str, Any]] = []
        self.answers: dict[str, dict[str, Any]] = {"filter": {"filters": {}}, "filter_metrics": {"columns": [], "rows": {}}}
        self.stages: list[Health] = [health("pose", facts={"engine": "truth", "runtime": "none"})]
        self._state_since: dict[tuple[str, str], float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play)

    def start(self) -> None:
        preview_images()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _play(self) -> None:
        context = LinkContext()
        address = daemon_address(self.name)
        bus = Publisher(context, address, [f"preview/{camera}" for camera in self.cameras])
        control = ControlServer(context, address, self._answer)
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += 1 / FPS
            bus.pump()
            control.pump()
            if not self.paused:
                self._publish(bus)
        context.close()

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        if question["ask"] == "status":
            return {"cameras": {each: {} for each in self.cameras}}
        self.asked.append(question)
        return self.answers[question["ask"]]

    def _publish(self, bus: Publisher) -> None:
        self.watched = {camera for camera in self.cameras if bus.has_subscriber(f"preview/{camera}")}
        self.frame_id += not self.still
        for camera in self.cameras:
            state = self.states.get(camera, "live")
            if self.frame_id % FPS == 0 and state:
                since = self._state_since.setdefault((camera, state), time.monotonic())
                fields = {
                    "camera": camera,
                    "epoch": 7,
                    "size": SIZE,
                    "state": state,
                    "state_s": time.monotonic() - since,
                    **self.more,
                }
                bus.publish(f"camera/{camera}", facts(self.frame_id, **fields))
            if state != "live":
                continue
            bus.publish(f"bodies/{camera}", self.change(bodies(self.frame_id, camera)))
            if self.frame_id % PREVIEW_EVERY == 0 and camera in self.watched:
                self.previewed += 1
                bus.publish(f"preview/{camera}", preview(self.frame_id, camera))
        if self.frame_id % FPS == 0:
            for stage in self.stages:
                bus.publish(f"health/{stage.stage}", stage)


@contextlib.contextmanager
def replaying(*cameras: str) -> Iterator[Replay]:
    """Play the clip while the block runs."""
    replay = Replay(cameras or ("sample",))
    with run_folder(replay.name):
        replay.start()
        try:
            yield replay
        finally:
            replay.stop()
