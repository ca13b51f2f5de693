"""Sink that sends the first person of the newest bodies to a REMI relay, in the packets of REMI's pose program."""

from __future__ import annotations

import numpy as np

from remi_stream.body.retarget import retargeter_to_known_body
from remi_stream.config import Config
from remi_stream.formats.remi import RemiPacket, empty_packet, encode_packet, make_packet, parse_address, unknown_pose_packet
from remi_stream.geometry import Intrinsics
from remi_stream.messages import Bodies, Smpl
from remi_stream.order import StageSpec
from remi_stream.sinks.remi_feed import RemiRelayClient
from remi_stream.sinks.sink import Sink


class RemiSink(Sink):
    """Sends the bodies of the pipeline's first camera, and reports the connection's state in its heartbeats."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        assert config.remi_relay is not None
        self._camera = config.cameras[0].name
        self._client = RemiRelayClient(*parse_address(config.remi_relay), lambda bodies: encode_packet(remi_packet(bodies)))
        self.topics = [f"bodies/{self._camera}"]
        self.tick(0.0)

    def open(self) -> None:
        """Start connecting; a relay that is not there is not an error."""
        self._client.start()

    def step(self, message: Bodies) -> None:
        """Send bodies of the first camera. A topic is a prefix, so those of `front2` arrive with `front`."""
        if message.camera == self._camera:
            self._client.enqueue(message)

    def tick(self, now: float) -> None:
        """Update the facts and counts of the heartbeat."""
        self._client.check_thread()
        self.facts["relay"] = self._client.connection_state(now)
        self.counts["sent"], self.counts["dropped"] = self._client.sent, self._client.dropped

    def close(self) -> None:
        """Disconnect after the packet that is being sent."""
        self._client.stop()


def remi_packet(bodies: Bodies) -> RemiPacket:
    """The packet that REMI's pose program would send for these bodies."""
    if not bodies.people:
        return empty_packet()
    person = bodies.people[0]
    if person.smpl is None:
        return unknown_pose_packet()
    # REMI expects SMPL: poses of another body are retargeted.
    smpl = person.smpl if person.smpl.body == "smpl" else retargeter_to_known_body(person.smpl.body).retarget(person.smpl)
    shift = square_camera_shift(smpl.transl, person.box_xyxy, bodies.intrinsics)
    return make_packet(smpl.global_orient, smpl.body_pose, smpl_betas(smpl), shift)


def smpl_betas(smpl: Smpl) -> np.ndarray:
    """SMPL betas (10,). Those of another body mean nothing to SMPL: zeros (the mean shape) instead."""
    return smpl.betas if smpl.body == "smpl" else np.zeros(10)


def square_camera_shift(transl: np.ndarray, box_xyxy: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Weak-perspective tx, ty (2,), m, of a square around a person's bounding box, for engines that have no such camera.

    The offset of the body's origin from the middle of the box at the body's depth: the inverse of the weak-perspective camera
    of the SMPL regressors.
    """
    fx, fy, cx, cy = intrinsics
    x, y, z = transl.astype(np.float64)
    middle = (box_xyxy[:2] + box_xyxy[2:]).astype(np.float64) / 2
    return np.array([x - (middle[0] - cx) * z / fx, y * fy / fx - (middle[1] - cy) * z / fx])


def make_remi_stage(spec: StageSpec) -> RemiSink:
    """Create the REMI sink from its StageSpec."""
    return RemiSink(spec.config)
