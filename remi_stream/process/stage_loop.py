"""Worker loops of a stage that processes messages: between other stages, or as a sink on the bus."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from remi_stream.messages import FrameMessage
from remi_stream.pipeline import StageRow, subscribed_topics
from remi_stream.process.outputs import StageOutputs
from remi_stream.stage import MAX_SLEEP_S, BusStage, Sink, Stage, StageSpec
from remi_stream.topics import LINK_TOPICS
from remi_stream.transport.link import ControlServer, LinkContext, Receiver, SocketPoller, Subscriber, link_address

DRAIN_TIMEOUT_S = 1.0
"""Time limit of the drain, s."""
READ_AHEAD_MAX_S = 0.05
"""A stage whose last step took longer does not read ahead, s: the frame would be so much older; the transfer takes 5 ms."""


class StageLoop:
    """Processes one message at a time, links in the order of the stage table, and grants credits for more when idle."""

    def __init__(self, spec: StageSpec, row: StageRow, stage: Stage) -> None:
        self.counts = stage.counts
        self._spec, self._row, self._stage = spec, row, stage
        self._context = LinkContext()
        self._receivers: list[Receiver[Any]] = []
        self._control: ControlServer | None = None
        self._waiter = SocketPoller()
        self._step_s = 0.0

    @property
    def facts(self) -> dict[str, str]:
        """Static information of the stage."""
        return self._stage.facts

    def open(self) -> None:
        """Open the stage, bind its inputs, connect its outputs."""
        self._outputs = StageOutputs(self._context, self._spec, self._row)
        if isinstance(self._stage, BusStage):
            self._stage.has_subscriber, self._stage.publish = self._outputs.has_subscriber, self._outputs.send
            if self._row.has_control:
                self._control = ControlServer(self._context, self._spec.daemon, self._stage.answer_control)
        self._stage.open()
        self._receivers = [self._bind(topic) for topic in self._row.reads]
        sockets = [receiver.socket for receiver in self._receivers] + self._outputs.sockets
        for socket in sockets + ([self._control.socket] if self._control else []):
            self._waiter.register(socket)

    def run_once(self, now: float) -> bool:
        """Process one message, or grant credits and wait."""
        self._pump(now)
        if not self._work(now):
            # only when idle: a frame that waits for a busy stage would be old when its turn comes
            for receiver in self._receivers:
                receiver.grant_credits(now, self._stage.request if receiver.is_live else None)
            self._waiter.wait(self._sleep_s(now))
        return True

    def drain(self) -> None:
        """Process the messages that have arrived, then deliver the results."""
        end = time.monotonic() + DRAIN_TIMEOUT_S
        idle = 0
        while idle < 3 and (now := time.monotonic()) < end:
            self._pump(now)
            idle = 0 if self._work(now) else idle + 1
            if idle:
                self._waiter.wait(0.02)
        self._outputs.flush()

    def close(self) -> None:
        """Close the stage and the links."""
        for receiver in self._receivers:
            receiver.close()
        self._stage.close()
        self._context.close()

    def _bind(self, topic: str) -> Receiver[Any]:
        address = link_address(Path(self._spec.run_folder), topic, self._row.name)
        reason, cameras = f"{self._row.name}/unasked", self._spec.config.camera_names
        return Receiver(self._context, address, LINK_TOPICS[topic], reason=reason, one_at_a_time=True, cameras=cameras)

    def _pump(self, now: float) -> None:
        for receiver in self._receivers:
            receiver.pump(now)
            if not receiver.is_live:  # its messages wait in order, so it may always get more
                receiver.grant_credits(now)
        self._outputs.pump(now)
        if self._control:
            self._control.pump()
        inputs = [receiver.invalid for receiver in self._receivers] + ([self._control.invalid] if self._control else [])
        self.counts["invalid"] = self._outputs.invalid + sum(each.count for each in inputs)

    def _work(self, now: float) -> bool:
        for receiver in self._receivers:
            message = receiver.next_message()
            if message is not None:
                if self._row.reads_ahead and self._step_s < READ_AHEAD_MAX_S and receiver.may_read_ahead:
                    receiver.grant_credits(now, self._stage.request)
                self._step(message, now)
                return True
        return False

    def _step(self, message: Any, received_at: float) -> None:
        results = list(self._stage.step(message))
        now = time.monotonic()
        self._step_s = now - received_at
        for result in results:
            if isinstance(result, FrameMessage):
                stamps = {**result.stamps, f"{self._row.name}_in": received_at, self._row.name: now}
                result = msgspec.structs.replace(result, stamps=stamps)
            self._outputs.send(result)
        self.counts["steps"] += 1
        self.counts["dropped"] = self._outputs.dropped

    def _sleep_s(self, now: float) -> float:
        """Time to sleep, s: until the next frame may be requested, a tenth of a second at most."""
        waits = [
            self._stage.request(camera).not_before - now
            for receiver in self._receivers
            if receiver.is_live
            for camera in receiver.inbox.cameras
        ]
        return min([MAX_SLEEP_S, *[max(wait, 0.001) for wait in waits if wait > 0]])


MAX_BURST = 200
"""Maximum number of messages passed to a sink between two calls of its `run_once`."""


class SinkLoop:
    """Passes the messages of the bus to a sink."""

    def __init__(self, spec: StageSpec, row: StageRow, sink: Sink) -> None:
        self._spec, self._row, self._sink = spec, row, sink
        self._context = LinkContext()

    @property
    def counts(self) -> Counter[str]:
        """Counters of the sink."""
        return self._sink.counts

    @property
    def facts(self) -> dict[str, str]:
        """Static information of the sink."""
        return self._sink.facts

    def open(self) -> None:
        """Open the sink, then subscribe."""
        self._sink.open()
        self._topics = [f"{topic}/" for topic in subscribed_topics(self._row, self._spec.config)]
        self._bus = Subscriber(self._context, self._spec.daemon, self._topics, self._spec.config.camera_names)

    def run_once(self, now: float) -> bool:
        """Pass queued messages to the sink, or wait; False when the sink is finished."""
        item = self._bus.receive(MAX_SLEEP_S)
        for _ in range(MAX_BURST):
            if item is None:
                break
            self._sink.step(item[1])
            self.counts["steps"] += 1
            item = self._bus.receive(0)
        self.counts["invalid"] = self._bus.invalid.count
        self._sink.tick(time.monotonic())
        self._bus.subscribe(self._topics if self._sink.topics is None else self._sink.topics)
        return not self._sink.is_finished

    def drain(self) -> None:
        """Process messages still in transit."""
        end = time.monotonic() + DRAIN_TIMEOUT_S
        while time.monotonic() < end and (item := self._bus.receive(0.05)) is not None:
            self._sink.step(item[1])

    def close(self) -> None:
        """Close the sink and the link."""
        self._sink.close()
        self._context.close()
