"""Sink that sends the first person of the newest bodies to a REMI relay, in the packets of REMI's pose program."""

from __future__ import annotations

import numpy as np

from remi_stream.body.retarget import onto_known_body
from remi_stream.config import Config
from remi_stream.formats.remi import Packet, address_of, encode, make_packet, nobody, unknown_pose
from remi_stream.geometry import Intrinsics
from remi_stream.messages import Bodies, Smpl
from remi_stream.order import Order
from remi_stream.sinks.remi_feed import Feed
from remi_stream.sinks.sink import Sink


class RemiRelay(Sink):
    """Sends the bodies of the pipeline's first camera, and reports the connection's state in its heartbeats."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        assert config.remi_relay is not None
        self._camera = config.cameras[0].name
        self._client = Feed(*address_of(config.remi_relay), lambda bodies: encode(packet_for(bodies)))
        self.hears = [f"bodies/{self._camera}"]
        self.turn(0.0)

    def open(self) -> None:
        """Start connecting; a relay that is not there is not an error."""
        self._client.start()

    def step(self, message: Bodies) -> None:
        """Send bodies of the first camera. A topic is a prefix, so those of `front2` arrive with `front`."""
        if message.camera == self._camera:
            self._client.offer(message)

    def turn(self, now: float) -> None:
        """Update the facts and counts of the heartbeat."""
        self._client.check()
        self.facts["relay"] = self._client.state(now)
        self.counts["sent"], self.counts["dropped"] = self._client.sent, self._client.dropped

    def close(self) -> None:
        """Disconnect after the packet that is being sent."""
        self._client.stop()


def packet_for(bodies: Bodies) -> Packet:
    """The packet that REMI's pose program would send for these bodies."""
    if not bodies.people:
        return nobody()
    person = bodies.people[0]
    if person.smpl is None:
        return unknown_pose()
    # REMI expects SMPL: poses of another body are retargeted.
    smpl = person.smpl if person.smpl.body == "smpl" else onto_known_body(person.smpl.body).smpl(person.smpl)
    shift = shift_in_square(smpl.transl, person.box_xyxy, bodies.intrinsics)
    return make_packet(smpl.global_orient, smpl.body_pose, betas_of(smpl), shift)


def betas_of(smpl: Smpl) -> np.ndarray:
    """SMPL betas (10,). Those of another body mean nothing to SMPL: zeros (the mean shape) instead."""
    return smpl.betas if smpl.body == "smpl" else np.zeros(10)


def shift_in_square(transl: np.ndarray, box_xyxy: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Weak-perspective tx, ty (2,), m, of a square around a person's bounding box, for engines that have no such camera.

    The offset of the body's origin from the middle of the box at the body's depth: the inverse of the weak-perspective camera
    of the SMPL regressors.
    """
    fx, fy, cx, cy = intrinsics
    x, y, z = transl.astype(np.float64)
    middle = (box_xyxy[:2] + box_xyxy[2:]).astype(np.float64) / 2
    return np.array([x - (middle[0] - cx) * z / fx, y * fy / fx - (middle[1] - cy) * z / fx])


def make(order: Order) -> RemiRelay:
    """Create the REMI sink from its StageSpec."""
    return RemiRelay(order.config)
