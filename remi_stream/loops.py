"""The loops of a stage's process: source (frames out), work (messages in, messages out), sink (listens to the bus)."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from remi_stream.config import BUS, CONTROL
from remi_stream.link import Context, ControlServer, Publisher, Receiver, Sender, Subscriber, Waiter, endpoint
from remi_stream.messages import Message
from remi_stream.pipeline import Row, readers, topic_of
from remi_stream.runner import BEAT_S, Order
from remi_stream.stage import SourceStage, Stage
from remi_stream.topics import TOPICS

HANG_S = 6.0
DRAIN_S = 1.0
CRASHED = 1

log = logging.getLogger("remi_stream")


class Outlet:
    """Where a stage's messages go: a Sender for each consumer of each topic it writes, or the bus."""

    def __init__(self, context: Context, order: Order, row: Row) -> None:
        self._row = row
        self._senders: dict[str, list[Sender[Any]]] = {}
        self._booked: list[Sender[Any]] = []
        self._bus: Publisher | None = None
        if row.name == "relay":
            self._bus = Publisher(context, order.config.port(BUS))
            return
        for topic in row.writes:
            self._senders[topic] = [self._connect(context, order, topic, reader) for reader in readers(topic)]

    def _connect(self, context: Context, order: Order, topic: str, reader: Row) -> Sender[Any]:
        lossless = topic == "frames" and reader.booked and order.config.camera(order.camera).lossless
        from remi_stream.capture.view import render

        sender: Sender[Any] = Sender(
            context,
            endpoint(Path(order.folder), topic, reader.name),
            TOPICS[topic],
            reason=f"{self._row.name}/{'superseded' if TOPICS[topic].delivery == 'live' else 'overflow'}",
            camera=order.camera,
            lossless=lossless,
            render=render if topic == "frames" else None,
        )
        if reader.booked:
            self._booked.append(sender)
        return sender

    @property
    def sockets(self) -> list[Any]:
        """What to wake up for."""
        if self._bus:
            return [self._bus.socket]
        return [sender.socket for senders in self._senders.values() for sender in senders]

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
        topic = topic_of(self._row, message)
        if self._bus:
            self._bus.publish(f"{topic}/{getattr(message, 'camera', None) or message.stage}", message)
            return
        for sender in self._senders[topic]:
            sender.put(message)

    def pump(self, now: float) -> None:
        """Serve the consumers."""
        if self._bus:
            self._bus.pump()
        for senders in self._senders.values():
            for sender in senders:
                sender.pump(now)

    def finish(self) -> None:
        """Wait, for a second at most, until everything booked was taken; then say good-bye."""
        end = time.monotonic() + DRAIN_S
        while not self.empty and (now := time.monotonic()) < end:
            self.pump(now)
            time.sleep(0.002)
        for senders in self._senders.values():
            for sender in senders:
                sender.bye()


class SourceLoop:
    """Runs a source in a thread and gives its newest frame to whoever asks."""

    def __init__(self, order: Order, row: Row, stage: SourceStage) -> None:
        self.counts: Counter[str] = Counter()
        self._order, self._row, self._stage = order, row, stage
        self._context = Context()
        self._ready: queue.Queue[list[Any] | BaseException | None] = queue.Queue(maxsize=4)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._stepping_since: float | None = None
        self._stop = threading.Event()
        self._waiter = Waiter()

    def open(self) -> None:
        """Open the source, connect the links, start the thread."""
        self._stage.open()
        self._outlet = Outlet(self._context, self._order, self._row)
        for socket in [*self._outlet.sockets, self._wake_read]:
            self._waiter.watch(socket)
        threading.Thread(target=self._read, name="source", daemon=True).start()

    def turn(self, now: float) -> bool:
        """Send what has been read and what is asked for."""
        self._check_hang(now)
        self._outlet.pump(now)
        more = True
        while more and not self._outlet.full and not self._ready.empty():
            more = self._send(self._ready.get())
        if more:
            self._waiter.wait(0.005 if self._outlet.full else BEAT_S)
            self._clear_wake()
        return more

    def drain(self) -> None:
        """Stop reading; the newest frame is still delivered."""
        self._stop.set()
        self._outlet.finish()

    def close(self) -> None:
        """Close the links; the thread dies with the process."""
        self._stop.set()
        self._context.close()

    def _read(self) -> None:
        messages: Any = ()
        while messages is not None and not self._stop.is_set():
            self._stepping_since = time.monotonic()
            try:
                messages = self._stage.step()
            except Exception as error:
                messages = error
            self._stepping_since = None
            self._ready.put(messages)
            os.write(self._wake_write, b".")
            if isinstance(messages, Exception):
                return
        self._stage.close()

    def _send(self, messages: Any) -> bool:
        if isinstance(messages, Exception):
            raise messages
        now = time.monotonic()
        for message in messages or ():
            if isinstance(message, Message):
                message = msgspec.structs.replace(message, stamps={**message.stamps, self._row.name: now})
                self.counts["frames"] += 1
            self._outlet.send(message)
        self.counts["dropped"] = self._outlet.dropped
        return messages is not None

    def _check_hang(self, now: float) -> None:
        since = self._stepping_since
        if since is not None and now - since > HANG_S:
            log.error("the source has been silent inside one call for %.0f s; this process ends", now - since)
            os._exit(CRASHED)

    def _clear_wake(self) -> None:
        try:
            os.read(self._wake_read, 4096)
        except BlockingIOError:
            return


class WorkLoop:
    """Takes what its links bring, oldest link in the table first, one message at a time, and asks for more when it is free."""

    def __init__(self, order: Order, row: Row, stage: Stage) -> None:
        self.counts: Counter[str] = Counter()
        self._order, self._row, self._stage = order, row, stage
        self._context = Context()
        self._receivers: list[Receiver[Any]] = []
        self._control: ControlServer | None = None
        self._waiter = Waiter()

    def open(self) -> None:
        """Open the stage, bind what it reads, connect what it writes."""
        self._outlet = Outlet(self._context, self._order, self._row)
        if self._row.name == "relay":
            port = self._order.config.port(CONTROL)
            self._control = ControlServer(self._context, port, self._stage.control)  # type: ignore[attr-defined]
        self._stage.open()
        self._receivers = [self._bind(topic) for topic in self._row.reads]
        sockets = [receiver.socket for receiver in self._receivers] + self._outlet.sockets
        for socket in sockets + ([self._control.socket] if self._control else []):
            self._waiter.watch(socket)

    def turn(self, now: float) -> bool:
        """Do one message's work, or ask and wait."""
        self._pump(now)
        if not self._work(now):
            for receiver in self._receivers:
                receiver.ask(now, self._stage.request if receiver.live else None)
            self._waiter.wait(self._patience(now))
        return True

    def drain(self) -> None:
        """Work off what has arrived, then deliver the results."""
        end = time.monotonic() + DRAIN_S
        idle = 0
        while idle < 3 and (now := time.monotonic()) < end:
            self._pump(now)
            idle = 0 if self._work(now) else idle + 1
            if idle:
                self._waiter.wait(0.02)
        self._outlet.finish()

    def close(self) -> None:
        """Close the stage and the links."""
        for receiver in self._receivers:
            receiver.close()
        self._stage.close()
        self._context.close()

    def _bind(self, topic: str) -> Receiver[Any]:
        address = endpoint(Path(self._order.folder), topic, self._row.name)
        return Receiver(self._context, address, TOPICS[topic], reason=f"{self._row.name}/unasked", one_at_a_time=True)

    def _pump(self, now: float) -> None:
        for receiver in self._receivers:
            receiver.pump(now)
            if not receiver.live:
                receiver.ask(now)
        self._outlet.pump(now)
        if self._control:
            self._control.pump()

    def _work(self, now: float) -> bool:
        for receiver in self._receivers:
            message = receiver.take()
            if message is not None:
                self._step(message, now)
                return True
        return False

    def _step(self, message: Any, received_at: float) -> None:
        results = list(self._stage.step(message))
        now = time.monotonic()
        for result in results:
            if isinstance(result, Message):
                stamps = {**result.stamps, f"{self._row.name}_in": received_at, self._row.name: now}
                result = msgspec.structs.replace(result, stamps=stamps)
            self._outlet.send(result)
        self.counts["steps"] += 1
        self.counts["dropped"] = self._outlet.dropped

    def _patience(self, now: float) -> float:
        """How long to sleep: until the next frame may be asked for, a heartbeat's time at most."""
        waits = [
            self._stage.request(camera).not_before - now
            for receiver in self._receivers
            if receiver.live
            for camera in receiver.inbox.cameras
        ]
        return min([BEAT_S, *[max(wait, 0.001) for wait in waits if wait > 0]])


class SinkLoop:
    """Listens to the bus and gives everything to a sink."""

    def __init__(self, order: Order, row: Row, stage: Stage) -> None:
        self.counts: Counter[str] = Counter()
        self._order, self._row, self._stage = order, row, stage
        self._context = Context()

    def open(self) -> None:
        """Open the sink, then listen."""
        self._stage.open()
        topics = [f"{topic}/" for topic in self._row.reads]
        self._bus = Subscriber(self._context, self._order.config.port(BUS), topics)

    def turn(self, now: float) -> bool:
        """Give the sink what has come, or wait."""
        item = self._bus.read(BEAT_S)
        if item is not None:
            list(self._stage.step(item[1]))
            self.counts["steps"] += 1
        return True

    def drain(self) -> None:
        """Take what is still under way."""
        end = time.monotonic() + DRAIN_S
        while time.monotonic() < end and (item := self._bus.read(0.05)) is not None:
            list(self._stage.step(item[1]))

    def close(self) -> None:
        """Close the sink and the link."""
        self._stage.close()
        self._context.close()


