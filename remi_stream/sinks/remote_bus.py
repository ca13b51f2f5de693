"""The bus for other machines: publishes on TCP what the relay publishes, and passes control requests to it.

A process of its own, so that what comes from the network never reaches the relay's sockets.
"""

from __future__ import annotations

import logging
import resource
from functools import partial
from typing import Any

from remi_stream.config import BUS_SERVICE, Config
from remi_stream.messages import Message, message_key
from remi_stream.stage import Sink, StageSpec
from remi_stream.topics import BUS_TOPICS
from remi_stream.transport.address import DaemonAddress, tcp_address
from remi_stream.transport.curve import is_authorised, keys_folder, open_server_keys
from remi_stream.transport.link import ControlServer, LinkContext, Publisher, send_control_request

OPEN_TOPICS = ["bodies/", "camera/", "health/"]
"""Published also without keys: no images."""
RELAY_TIMEOUT_S = 1.0
"""Time that the relay has to answer a request, s; less than this stage may be silent."""
MAX_MEMORY_BYTES = 2 << 30
"""Limit of this process: ZeroMQ keeps all subscriptions of its clients."""
_TOPIC_OF_TYPE = {kind: topic for topic, kind in BUS_TOPICS.items()}

log = logging.getLogger("remi_stream")


class RemoteBus(Sink):
    """Bus and control on TCP for clients with a key, or with `bus_open` only bodies and states, for all. local: the relay's."""

    def __init__(self, config: Config, local: DaemonAddress) -> None:
        super().__init__()
        assert config.bus_bind is not None
        self._config, self._local = config, local
        self._previews = [] if config.bus_open else [f"preview/{camera}" for camera in config.camera_names]
        self._address = tcp_address(config.bus_bind, config.port(BUS_SERVICE), "bus_bind", has_control=not config.bus_open)
        self._control: ControlServer | None = None
        self.topics = OPEN_TOPICS

    def open(self) -> None:
        """Bind the sockets; make the keys on first use. Raises RemiError."""
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_DATA)[1]))
        self._context = LinkContext()
        keys = None if self._config.bus_open else open_server_keys()
        if keys is not None:
            self._context.admit_only(is_authorised)
            forward = partial(send_control_request, self._local, timeout_s=RELAY_TIMEOUT_S)
            self._control = ControlServer(self._context, self._address, forward, keys)
        self._publisher = Publisher(self._context, self._address, self._previews, keys)
        if keys is None:
            log.warning("bodies on %s, open to anyone who can reach it (no previews, no control)", self._address.bus)
        else:
            client = keys_folder() / "client.json"
            log.info("bodies on %s, control on %s, for clients with a key: %s", self._address.bus, self._address.control, client)

    def step(self, message: Message) -> None:
        """Publish a message of the relay."""
        self._publisher.publish(f"{_TOPIC_OF_TYPE[type(message)]}/{message_key(message)}", message)

    def tick(self, now: float) -> None:
        """Process subscriptions and requests; subscribe to the previews that a client wants.

        Raises RuntimeError if no client can connect any more, so that the stage is restarted.
        """
        self._context.check()
        self._publisher.pump()
        if self._control:
            self._control.pump()
        self.topics = [*OPEN_TOPICS, *filter(self._publisher.has_subscriber, self._previews)]
        self.counts["refused"] = self._publisher.invalid.count + (self._control.invalid.count if self._control else 0)

    def close(self) -> None:
        """Close the sockets."""
        self._publisher.close()
        self._context.close()


def make_remote_bus_stage(spec: StageSpec) -> Any:
    """Create the stage from its StageSpec."""
    return RemoteBus(spec.config, spec.daemon)
