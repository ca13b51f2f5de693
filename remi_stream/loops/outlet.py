"""Where a stage's messages go."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remi_stream.config import BUS
from remi_stream.link import Context, Publisher, Sender, endpoint
from remi_stream.messages import Frame, View
from remi_stream.order import Order
from remi_stream.pipeline import Row, readers, topics_of
from remi_stream.topics import TOPICS

FINISH_S = 1.0
NOBODY_TAKES_S = 0.5

Render = Callable[[Frame, View], Frame]


class Outlet:
    """A Sender for each consumer of each topic it writes, or the bus."""

    def __init__(self, context: Context, order: Order, row: Row, render: Render | None = None) -> None:
        self._row = row
        self._render = render
        self._senders: dict[str, list[Sender[Any]]] = {}
        self._booked: list[Sender[Any]] = []
        self._taken_at = float("-inf")
        self._bus: Publisher | None = None
        if row.name == "relay":
            self._bus = Publisher(context, order.config.port(BUS))
            return
        for topic in row.writes:
            self._senders[topic] = [self._connect(context, order, topic, reader) for reader in readers(topic)]

    def _connect(self, context: Context, order: Order, topic: str, reader: Row) -> Sender[Any]:
        lossless = topic == "frames" and reader.booked and order.config.camera(order.camera).lossless
        sender: Sender[Any] = Sender(
            context,
            endpoint(Path(order.folder), topic, reader.name),
            TOPICS[topic],
            reason=f"{self._row.name}/{'superseded' if TOPICS[topic].delivery == 'live' else 'overflow'}",
            camera=order.camera,
            lossless=lossless,
            render=self._render,
            on_sent=self._taken if topic == "frames" and reader.booked else None,
        )
        if reader.booked and topic != "preview":
            self._booked.append(sender)
        return sender

    @property
    def sockets(self) -> list[Any]:
        """What to wake up for."""
        if self._bus:
            return [self._bus.socket]
        return [sender.socket for senders in self._senders.values() for sender in senders]

    def heard(self, topic: str) -> bool:
        """Whether somebody on the bus listens to this topic."""
        return self._bus is not None and self._bus.heard(topic)

    @property
    def full(self) -> bool:
        """Whether a lossless link has no room."""
        return any(sender.full for sender in self._booked)

    @property
    def empty(self) -> bool:
        """Whether every booked message was taken."""
        return all(sender.empty for sender in self._booked)

    @property
    def dropped(self) -> int:
        """Messages dropped on booked links so far."""
        return sum(sender.outbox.dropped for sender in self._booked)

    def send(self, message: Any) -> None:
        """Send a message where messages of its kind go."""
        for topic in topics_of(self._row, message):
            if self._bus:
                self._bus.publish(f"{topic}/{getattr(message, 'camera', None) or message.stage}", message)
            if topic == "preview" and self._row.per_camera and time.monotonic() - self._taken_at < NOBODY_TAKES_S:
                continue
            for sender in self._senders.get(topic, ()):
                sender.put(message)

    def _taken(self, frame: Frame) -> None:
        """Preview what pose has taken, so that the picture and the bodies of one frame meet; anything, if it takes nothing."""
        self._taken_at = time.monotonic()
        for sender in self._senders.get("preview", ()):
            sender.put(frame)

    def pump(self, now: float) -> None:
        """Serve the consumers."""
        if self._bus:
            self._bus.pump()
        for senders in self._senders.values():
            for sender in senders:
                sender.pump(now)

    def finish(self) -> None:
        """Wait, for a second at most, until everything booked was taken; then close the links."""
        end = time.monotonic() + FINISH_S
        while not self.empty and (now := time.monotonic()) < end:
            self.pump(now)
            time.sleep(0.002)
        for senders in self._senders.values():
            for sender in senders:
                sender.close(wait=sender in self._booked)
        if self._bus:
            self._bus.close()
