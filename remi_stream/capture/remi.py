"""A camera whose people come from elsewhere: the packets of REMI's pose program, as bodies."""

from __future__ import annotations

import itertools
import logging
import secrets
from collections import Counter
from collections.abc import Iterable
from ipaddress import ip_address
from time import monotonic

import numpy as np

from remi_stream.body.retarget import known_body, onto_known_body
from remi_stream.capture.remi_clients import Clients, News
from remi_stream.capture.source import State
from remi_stream.capture.telling import FACTS_S, Telling
from remi_stream.config import Camera
from remi_stream.errors import UsageError
from remi_stream.formats.remi import Packet, address_of, shift_of, tells_pose, turned
from remi_stream.geometry import Intrinsics, box_of, default_intrinsics, project
from remi_stream.messages import Bodies, CameraFacts, Person, Smpl
from remi_stream.order import Order

SILENT_S = 10.0
"""Without a packet for so long, a client that is still connected is one that is looked for."""
ABSENT_S = 1.0
"""Whoever comes after nobody was there for so long is somebody else."""
DEPTH_M = 4.0
"""How far away people are put, which no packet tells: so far that they fit into the picture."""
SIZE = (1280, 720)
MEANT = ("name", "source", "size", "focal_px", "frames")
"""What a camera of this kind is told; the rest is about pictures."""
IDS_PER_LIFE = 100_000
ALL_JOINTS = np.ones(24, np.float32)

log = logging.getLogger("remi_stream")


class RemiStage:
    """Numbers the packets of the newest client as frames, and gives the person of each; a new epoch each time it is made.

    counts: clients whose packets were taken, and connections that were closed for what they sent.
    """

    def __init__(self, camera: Camera, life: int = 0) -> None:
        check_camera(camera)
        self.camera = camera
        self.epoch = secrets.randbits(48)
        self.captured = 0
        self.counts: Counter[str] = Counter(clients=0, refused=0)
        self._host, self._port = address_of(camera.source.partition(":")[2])
        self._size = camera.size or SIZE
        focal, _, *middle = default_intrinsics(*self._size)
        self._intrinsics: Intrinsics = (camera.focal_px or focal, camera.focal_px or focal, middle[0], middle[1])
        self._clients = Clients()
        self._ids = itertools.count(1 + life * IDS_PER_LIFE)
        self._track_id = 0
        self._in_use = 0
        self._seen_at = self._heard_at = float("-inf")
        self._state: State = "reconnecting"
        self._telling = Telling()
        self._ended = False

    def open(self) -> None:
        """Listen; a client that is not there yet is not an error."""
        known_body()
        self._clients.open(self._host, self._port)
        log.info("waiting for REMI's pose program on %s:%d", self._host, self._port)
        if not is_loopback(self._host):
            log.warning(
                "%s can be reached from other machines: whoever sends packets there becomes the people of camera %s",
                f"{self._host}:{self._port}",
                self.camera.name,
            )

    def step(self) -> Iterable[Bodies | CameraFacts] | None:
        """Wait for a packet; None when the wanted number of them has come."""
        if self._ended:
            return None
        news = self._clients.next(FACTS_S)
        found = self._take(news) if news else []
        now = monotonic()
        if now - self._heard_at > SILENT_S:
            self._state = "reconnecting"
        if self.camera.frames and self.captured >= self.camera.frames:
            self._ended, self._state = True, "ended"
        return [*found, *self._facts_if_due(now)]

    def close(self) -> None:
        """Listen no more."""
        self._clients.close()

    def _take(self, news: News) -> list[Bodies]:
        if news.packet is None:
            self._miss(news)
            return []
        if news.client.number < self._in_use:
            return []
        if news.client.number > self._in_use:
            self._welcome(news)
        self._heard_at, self._state = news.at, "live"
        self.captured += 1
        return [self._bodies(news.packet, news.at)]

    def _welcome(self, news: News) -> None:
        log.info("REMI client %s sends", news.client.shown)
        self._in_use, self._seen_at = news.client.number, float("-inf")
        self.counts["clients"] += 1

    def _miss(self, news: News) -> None:
        """Note that a client is gone, and why if it was sent away."""
        if news.refused:
            self.counts["refused"] += 1
            log.warning("REMI client %s: %s Its connection is closed", news.client.shown, news.refused)
        if news.client.number == self._in_use:
            self._state = "reconnecting"
            log.info("REMI client %s is gone; waiting for one on %s:%d", news.client.shown, self._host, self._port)

    def _bodies(self, packet: Packet, at: float) -> Bodies:
        people = []
        if tells_pose(packet):
            if at - self._seen_at > ABSENT_S:
                self._track_id = next(self._ids)
            self._seen_at = at
            people = [person_of(packet, self._track_id, self._intrinsics)]
        return Bodies(
            camera=self.camera.name,
            epoch=self.epoch,
            frame_id=self.captured - 1,
            captured_at=at,
            engine="remi",
            size=self._size,
            intrinsics=self._intrinsics,
            people=people,
        )

    def _facts_if_due(self, now: float) -> list[CameraFacts]:
        if not self._telling.due(self._state, now):
            return []
        return [
            CameraFacts(
                camera=self.camera.name,
                epoch=self.epoch,
                state=self._state,
                source=self.camera.source,
                size=self._size,
                fps=0.0,
                captured=self.captured,
            )
        ]


def person_of(packet: Packet, track_id: int, intrinsics: Intrinsics) -> Person:
    """The person of a packet, in the camera's axes; key points are where the joints of the body fall in the picture."""
    smpl = smpl_of(packet)
    drawn = onto_known_body(smpl.body).smpl(smpl)
    joints = known_body().joints(drawn.global_orient, drawn.body_pose, drawn.betas, drawn.transl).astype(np.float32)
    pixels = project(joints, intrinsics).astype(np.float32)
    return Person(
        track_id=track_id,
        score=1.0,
        box_xyxy=box_of(pixels),
        skeleton="smpl24",
        keypoints_px=pixels,
        keypoint_scores=ALL_JOINTS,
        joints_m=joints,
        smpl=smpl,
    )


def smpl_of(packet: Packet) -> Smpl:
    """The body of a packet: the half turn undone, its place beside the middle of the crop kept, its depth made up.

    The crop is taken to be in the middle of the picture: where it was is not told.
    """
    return Smpl(
        body="smpl",
        global_orient=turned(packet.poses_root[0]).astype(np.float32),
        body_pose=packet.poses_body[0],
        betas=packet.betas[0],
        transl=np.append(shift_of(packet), DEPTH_M).astype(np.float32),
        joint_confidence=ALL_JOINTS,
    )


def check_camera(camera: Camera) -> None:
    """Raise UsageError unless the source is "remi:HOST:PORT" and nothing else is asked of it than it can do."""
    address_of(camera.source.partition(":")[2])
    plain = Camera(name=camera.name, source=camera.source)
    for key in camera.__struct_fields__:
        if key not in MEANT and getattr(camera, key) != getattr(plain, key):
            allowed = ", ".join(MEANT)
            raise UsageError(f"Camera {camera.name!r}: `{key}` means nothing to a remi source; allowed: {allowed}")


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make(order: Order) -> RemiStage:
    """Make the stage for an order."""
    return RemiStage(order.config.camera(order.camera), order.life)
