"""REMI source: packets of REMI's pose program, received over TCP and published as bodies."""

from __future__ import annotations

import itertools
import logging
import secrets
from collections import Counter
from collections.abc import Iterable
from ipaddress import ip_address
from time import monotonic

import numpy as np

from remi_stream.body.known_bodies import known_body, retargeter_to_known_body
from remi_stream.config import CameraConfig
from remi_stream.geometry import Intrinsics, bounding_box, default_intrinsics, project
from remi_stream.messages import Bodies, CameraFacts, CameraState, Person, Smpl
from remi_stream.remi.server import ClientEvent, RemiServer
from remi_stream.remi.wire import RemiPacket, has_pose, packet_shift, parse_address, rotate_to_y_up
from remi_stream.stage import STATUS_INTERVAL_S, TRACK_IDS_PER_LIFE, StageSpec, StatusTimer

SILENCE_TIMEOUT_S = 10.0
"""A connected client that sends no packet for so long, s, counts as reconnecting."""
NEW_PERSON_AFTER_S = 1.0
"""After so long, s, without a pose the next one gets a new track id: packets have none."""
ASSUMED_DEPTH_M = 4.0
"""Assumed distance of people, since packets have none: far enough for a whole body in the image."""
DEFAULT_SIZE = (1280, 720)
"""Default image size (width, height), px."""
FULL_CONFIDENCE = np.ones(24, np.float32)
"""Confidence of the joints, (24,): packets have none."""

log = logging.getLogger("remi_stream")


class RemiSourceStage:
    """Publishes each packet of the newest client as a numbered frame with one person.

    counts: clients whose packets were used, and connections refused because of invalid packets.
    """

    def __init__(self, camera: CameraConfig, restarts: int = 0) -> None:
        self.camera = camera
        self.epoch = secrets.randbits(48)
        self.captured = 0
        self.counts: Counter[str] = Counter(clients=0, refused=0)
        self._host, self._port = parse_remi_source(camera.source)
        self._size = camera.size or DEFAULT_SIZE
        focal, _, *middle = default_intrinsics(*self._size)
        self._intrinsics: Intrinsics = (camera.focal_px or focal, camera.focal_px or focal, middle[0], middle[1])
        self._server = RemiServer()
        self._ids = itertools.count(1 + restarts * TRACK_IDS_PER_LIFE)
        self._track_id = 0
        self._current_client = 0
        self._pose_at = self._received_at = float("-inf")
        self._state: CameraState = "reconnecting"
        self._status_timer = StatusTimer()
        self._ended = False

    def open(self) -> None:
        """Start to listen; a client may connect later."""
        known_body()  # loaded now and cached, or the first packet would wait for it
        self._server.open(self._host, self._port)
        log.info("waiting for REMI's pose program on %s:%d", self._host, self._port)
        if not is_loopback(self._host):
            log.warning(
                "%s can be reached from other machines: any of them can send the people of camera %s",
                f"{self._host}:{self._port}",
                self.camera.name,
            )

    def step(self) -> Iterable[Bodies | CameraFacts] | None:
        """Wait for a packet; None after the configured number of frames."""
        if self._ended:
            return None
        event = self._server.next_event(STATUS_INTERVAL_S)
        messages = self._handle(event) if event else []
        now = monotonic()
        if now - self._received_at > SILENCE_TIMEOUT_S:
            self._state = "reconnecting"
        if self.camera.frames and self.captured >= self.camera.frames:
            self._ended, self._state = True, "ended"
        return [*messages, *self._facts_if_due(now)]

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def _handle(self, event: ClientEvent) -> list[Bodies]:
        if event.packet is None:
            self._handle_disconnect(event)
            return []
        if event.client.number < self._current_client:  # was queued before its client was replaced
            return []
        if event.client.number > self._current_client:
            self._switch_client(event)
        self._received_at, self._state = event.received_at, "live"
        self.captured += 1
        return [self._bodies(event.packet, event.received_at)]

    def _switch_client(self, event: ClientEvent) -> None:
        log.info("REMI client %s sends", event.client.address)
        self._current_client, self._pose_at = event.client.number, float("-inf")
        self.counts["clients"] += 1

    def _handle_disconnect(self, event: ClientEvent) -> None:
        """Log that a client disconnected, and why if it was refused."""
        if event.rejection:
            self.counts["refused"] += 1
            log.warning("REMI client %s: %s Its connection is closed", event.client.address, event.rejection)
        if event.client.number == self._current_client:
            self._state = "reconnecting"
            log.info("REMI client %s disconnected; waiting for one on %s:%d", event.client.address, self._host, self._port)

    def _bodies(self, packet: RemiPacket, at: float) -> Bodies:
        people = []
        if has_pose(packet):
            if at - self._pose_at > NEW_PERSON_AFTER_S:
                self._track_id = next(self._ids)
            self._pose_at = at
            people = [person_from_packet(packet, self._track_id, self._intrinsics)]
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
        if not self._status_timer.is_due(self._state, now):
            return []
        return [
            CameraFacts(
                camera=self.camera.name,
                epoch=self.epoch,
                state=self._state,
                state_s=self._status_timer.state_s(now),
                source=self.camera.source,
                size=self._size,
                fps=0.0,
                captured=self.captured,
            )
        ]


def person_from_packet(packet: RemiPacket, track_id: int, intrinsics: Intrinsics) -> Person:
    """Convert a packet to a Person in camera axes; key points are the body's joints projected into the image, px."""
    smpl = smpl_from_packet(packet)
    drawn = retargeter_to_known_body(smpl.body).retarget(smpl)
    joints = known_body().joints(drawn.global_orient, drawn.body_pose, drawn.betas, drawn.transl).astype(np.float32)
    pixels = project(joints, intrinsics).astype(np.float32)
    return Person(
        track_id=track_id,
        score=1.0,
        box_xyxy=bounding_box(pixels),
        skeleton="smpl24",
        keypoints_px=pixels,
        keypoint_scores=FULL_CONFIDENCE,
        joints_m=joints,
        smpl=smpl,
    )


def smpl_from_packet(packet: RemiPacket) -> Smpl:
    """SMPL body of a packet: half turn undone, offset from the crop's centre kept, depth assumed.

    Packets do not say where the crop was: it is assumed to be in the middle of the image.
    """
    return Smpl(
        body="smpl",
        global_orient=rotate_to_y_up(packet.poses_root[0]).astype(np.float32),
        body_pose=packet.poses_body[0],
        betas=packet.betas[0],
        transl=np.append(packet_shift(packet), ASSUMED_DEPTH_M).astype(np.float32),
        joint_confidence=FULL_CONFIDENCE,
    )


def parse_remi_source(source: str) -> tuple[str, int]:
    """Host and port of "remi:HOST:PORT". Raises UsageError."""
    return parse_address(source.partition(":")[2])


def check_remi_source(camera: CameraConfig) -> None:
    """Raise UsageError unless the camera's source is "remi:HOST:PORT"."""
    parse_remi_source(camera.source)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to this host name or address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make_remi_stage(spec: StageSpec) -> RemiSourceStage:
    """Make the stage of a camera."""
    return RemiSourceStage(spec.config.camera(spec.camera), spec.restarts)
