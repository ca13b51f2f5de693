"""Table of topics: message type and delivery of each; producers and consumers are in pipeline.py.

live: the newest message per credit; older ones are dropped and counted. fifo: in order, up to `depth` queued, the oldest
dropped and counted. bus: published to all subscribers.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from remi_stream.messages import Bodies, CameraFacts, DetectionInterval, Detections, Frame, Health, PlaybackCommand


class Topic(NamedTuple):
    """A topic of the links between stages."""

    name: str
    message_type: type
    delivery: Literal["live", "fifo"]
    depth: int
    """Messages of a camera that may be queued at the producer, and that the consumer allows in transit."""


LINK_TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic("frames", Frame, "live", 1),
        Topic("preview", Frame, "live", 1),
        Topic("detections", Detections, "fifo", 16),
        Topic("searches", DetectionInterval, "fifo", 16),
        Topic("poses", Bodies, "fifo", 64),
        Topic("cameras", CameraFacts, "fifo", 16),
        Topic("health", Health, "fifo", 64),
    )
}

BUS_TOPICS: dict[str, type] = {
    "bodies": Bodies,
    "preview": Frame,
    "camera": CameraFacts,
    "health": Health,
    "playback_command": PlaybackCommand,
}
"""Message types on the bus. A message is published as "<topic>/<camera>", Health as "health/<stage>"."""

LAST_VALUE_TOPICS = ("camera", "health")
"""Bus topics with a last value cache: each new subscriber gets their last message."""
