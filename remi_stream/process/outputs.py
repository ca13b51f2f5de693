"""Outputs of a worker: its stage's messages to links or the bus, its heartbeats to the supervisor."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from remi_stream.messages import Frame, FrameView, Health, message_key
from remi_stream.pipeline import StageRow, link_consumers
from remi_stream.stage import HEARTBEAT_S, StageSpec
from remi_stream.topics import LINK_TOPICS
from remi_stream.transport.link import LinkContext, Publisher, Sender, link_address

FLUSH_TIMEOUT_S = 1.0
"""Time to deliver queued messages at the end, s."""
PREVIEW_FALLBACK_S = 0.5
"""Time without a frame taken by pose after which any frame is previewed, s."""

MAX_REASON_LENGTH = 2000
"""Length of the reason in a heartbeat that would be too large, characters."""

FrameRenderer = Callable[[Frame, FrameView], Frame]


class StageOutputs:
    """Sends each message to the consumers of its topics: one Sender per topic and consumer, or the bus."""

    def __init__(self, context: LinkContext, spec: StageSpec, row: StageRow, render: FrameRenderer | None = None) -> None:
        self._row = row
        self._topics = row.topics_by_type()
        self._render = render
        self._senders: dict[str, list[Sender[Any]]] = {}
        self._counted: list[Sender[Any]] = []
        self._frame_sent_at = float("-inf")
        self._bus: Publisher | None = None
        if row.on_bus:
            self._bus = Publisher(context, spec.daemon, [f"preview/{camera}" for camera in spec.config.camera_names])
            return
        for topic in row.writes:
            self._senders[topic] = [self._connect(context, spec, topic, reader) for reader in link_consumers(topic)]

    def _connect(self, context: LinkContext, spec: StageSpec, topic: str, reader: StageRow) -> Sender[Any]:
        lossless = topic == "frames" and reader.counts_drops and spec.config.camera(spec.camera).lossless
        sender: Sender[Any] = Sender(
            context,
            link_address(Path(spec.run_folder), topic, reader.name),
            LINK_TOPICS[topic],
            reason=f"{self._row.name}/{'superseded' if LINK_TOPICS[topic].delivery == 'live' else 'overflow'}",
            camera=spec.camera,
            lossless=lossless,
            render=self._render,
            on_sent=self._on_frame_sent if topic == "frames" and reader.counts_drops else None,
        )
        if reader.counts_drops and topic != "preview":
            self._counted.append(sender)
        return sender

    @property
    def sockets(self) -> list[Any]:
        """Sockets to poll."""
        if self._bus:
            return [self._bus.socket]
        return [sender.socket for senders in self._senders.values() for sender in senders]

    def has_subscriber(self, topic: str) -> bool:
        """Whether this topic has a subscriber on the bus."""
        return self._bus is not None and self._bus.has_subscriber(topic)

    @property
    def is_full(self) -> bool:
        """Whether a lossless link is full."""
        return any(sender.is_full for sender in self._counted)

    @property
    def is_empty(self) -> bool:
        """Whether no counted message is queued."""
        return all(sender.is_empty for sender in self._counted)

    @property
    def dropped(self) -> int:
        """Messages dropped so far on links that count drops."""
        return sum(sender.outbox.dropped for sender in self._counted)

    @property
    def invalid(self) -> int:
        """Invalid messages that came from consumers and subscribers."""
        links = sum(sender.invalid.count for senders in self._senders.values() for sender in senders)
        return links + (self._bus.invalid.count if self._bus else 0)

    def send(self, message: Any) -> None:
        """Send a message to all consumers of its type."""
        for topic in self._topics[type(message)]:
            if self._bus:
                self._bus.publish(f"{topic}/{message_key(message)}", message)
            elif topic != "preview" or time.monotonic() - self._frame_sent_at >= PREVIEW_FALLBACK_S:
                for sender in self._senders[topic]:
                    sender.put(message)

    def _on_frame_sent(self, frame: Frame) -> None:
        """Preview a frame that pose took, so that preview and bodies are of the same frame."""
        self._frame_sent_at = time.monotonic()
        for sender in self._senders.get("preview", ()):
            sender.put(frame)

    def pump(self, now: float) -> None:
        """Process credits and subscriptions, and send what they allow."""
        if self._bus:
            self._bus.pump()
        for senders in self._senders.values():
            for sender in senders:
                sender.pump(now)

    def flush(self) -> None:
        """Deliver queued messages, for a second at most; then close the links."""
        end = time.monotonic() + FLUSH_TIMEOUT_S
        while not self.is_empty and (now := time.monotonic()) < end:
            self.pump(now)
            time.sleep(0.002)
        for senders in self._senders.values():
            for sender in senders:
                sender.close(wait=sender in self._counted)
        if self._bus:
            self._bus.close()


class HeartbeatSender:
    """Sends heartbeats, from the thread that does the work: one that hangs sends none."""

    def __init__(self, fd: int, label: str) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(False)  # a hung supervisor must not block the stage
        self._label = label
        self._next = 0.0

    def send_if_due(self, now: float, counts: Counter[str], facts: dict[str, str]) -> None:
        """Send a heartbeat if one is due."""
        if now >= self._next:
            self._next = now + HEARTBEAT_S
            self.send("ready", counts=dict(counts), facts=facts)

    def send(self, state: Any, **more: Any) -> None:
        """Send a heartbeat now; it is lost if the socket is full, and comes without counts and facts if it is too large."""
        health = Health(
            stage=self._label,
            state=state,
            pid=os.getpid(),
            cpu_s=time.process_time(),
            memory_bytes=_resident_bytes(),
            **more,
        )
        # unix(7): a message is sent whole or not at all
        with contextlib.suppress(BlockingIOError, ConnectionError):
            try:
                self._socket.send(msgspec.msgpack.encode(health))
            except OSError as error:
                if error.errno != errno.EMSGSIZE:
                    raise
                reason = health.reason[:MAX_REASON_LENGTH]
                self._socket.send(msgspec.msgpack.encode(msgspec.structs.replace(health, counts={}, facts={}, reason=reason)))


def _resident_bytes() -> int:
    # statm(5): total, then resident, in pages; without /proc the peak, which Linux reports in kB
    with contextlib.suppress(OSError), open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
