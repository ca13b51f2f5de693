"""Feeds a REMI relay: the first person of the newest bodies, in the packets of REMI's pose program."""

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
    """Gives the bodies of the pipeline's first camera to a Feed, and tells how it goes."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        assert config.remi_relay is not None
        self._camera = config.cameras[0].name
        self._feed = Feed(*address_of(config.remi_relay), lambda bodies: encode(packet_for(bodies)))
        self.hears = [f"bodies/{self._camera}"]
        self.turn(0.0)

    def open(self) -> None:
        """Begin to look for the relay; one that is away is not an error."""
        self._feed.start()

    def step(self, message: Bodies) -> None:
        """Offer bodies; a camera whose name only begins like that of the first one is heard too."""
        if message.camera == self._camera:
            self._feed.offer(message)

    def turn(self, now: float) -> None:
        """Tell how it goes."""
        self._feed.check()
        self.facts["relay"] = self._feed.state(now)
        self.counts["sent"], self.counts["dropped"] = self._feed.sent, self._feed.dropped

    def close(self) -> None:
        """Let go of the relay, after the packet that is under way."""
        self._feed.stop()


def packet_for(bodies: Bodies) -> Packet:
    """What REMI's pose program would have sent of a frame."""
    if not bodies.people:
        return nobody()
    person = bodies.people[0]
    if person.smpl is None:
        return unknown_pose()
    smpl = person.smpl if person.smpl.body == "smpl" else onto_known_body(person.smpl.body).smpl(person.smpl)
    shift = shift_in_square(smpl.transl, person.box_xyxy, bodies.intrinsics)
    return make_packet(smpl.global_orient, smpl.body_pose, betas_of(smpl), shift)


def betas_of(smpl: Smpl) -> np.ndarray:
    """The shape (10,) of a SMPL body; that of another body means nothing to SMPL, which takes its mean one."""
    return smpl.betas if smpl.body == "smpl" else np.zeros(10)


def shift_in_square(transl: np.ndarray, box_xyxy: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """tx, ty (2,) of the weak-perspective camera of a square around a person's box, for an engine that has no such camera.

    It says how far the body's origin is from the middle of the box, m, at its depth: pose/weak_camera.py, the other way round.
    """
    fx, fy, cx, cy = intrinsics
    x, y, z = transl.astype(np.float64)
    middle = (box_xyxy[:2] + box_xyxy[2:]).astype(np.float64) / 2
    return np.array([x - (middle[0] - cx) * z / fx, y * fy / fx - (middle[1] - cy) * z / fx])


def make(order: Order) -> RemiRelay:
    """Make the stage for an order."""
    return RemiRelay(order.config)
