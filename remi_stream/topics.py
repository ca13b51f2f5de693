"""THE table of topics: what travels, from whom to whom is in pipeline.py, how it is delivered is here.

live: one credit, one message: the newest; older ones are dropped and counted. fifo: in order, up to `depth` waiting, the
oldest dropped and counted. bus: published to whoever listens.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from remi_stream.messages import Bodies, CameraFacts, Detections, Frame, Health, Search, Wish


class Topic(NamedTuple):
    """One row: depth is how many messages of a camera may wait at the producer (and how many the consumer lets travel)."""

    name: str
    kind: type
    delivery: Literal["live", "fifo"]
    depth: int


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic("frames", Frame, "live", 1),
        Topic("preview", Frame, "live", 1),
        Topic("detections", Detections, "fifo", 16),
        Topic("searches", Search, "fifo", 16),
        Topic("poses", Bodies, "fifo", 64),
        Topic("cameras", CameraFacts, "fifo", 16),
        Topic("health", Health, "fifo", 64),
    )
}

BUS: dict[str, type] = {"bodies": Bodies, "preview": Frame, "camera": CameraFacts, "health": Health, "wish": Wish}
"""What the relay publishes, as "bodies/<camera>", "preview/<camera>", "camera/<camera>", "health/<stage>", "wish/<camera>"."""

FACTS = ("camera", "health")
"""Bus topics whose last message is sent again to each new subscriber."""
