"""Who may connect to a CURVE socket, when the answer fails: not this client, but the next one."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest
import zmq

from remi_stream.transport.address import ClientKeys, ServerKeys
from remi_stream.transport.link import LinkContext
from remi_stream.transport.sockets import bind, connect
from tests.pipeline.camera import free_port


def keypair() -> dict[str, str]:
    public, secret = zmq.curve_keypair()
    return {"public": public.decode(), "secret": secret.decode()}


class Gate:
    """A CURVE socket whose clients are asked about with `is_allowed`, which raises `error` if there is one."""

    def __init__(self, *, has_gatekeeper: bool = True) -> None:
        self.context, self.keys = LinkContext(), ServerKeys(**keypair())
        self.error: Exception | None = None
        self.asked = 0
        self.address = f"tcp://127.0.0.1:{free_port()}"
        if has_gatekeeper:
            self.context.admit_only(self.is_allowed)
        self.socket = self.context.create_socket(zmq.REP, 1000)
        bind(self.socket, self.address, self.keys)

    def is_allowed(self, _public: str) -> bool:
        self.asked += 1
        if self.error:
            raise self.error
        return True

    def admits_client(self, timeout_s: float) -> bool:
        """Whether a new client's message comes."""
        context = LinkContext()
        client = context.create_socket(zmq.REQ, 1000)
        connect(client, self.address, ClientKeys(server=self.keys.public, **keypair()))
        client.send(b"hello")
        came = bool(self.socket.poll(int(timeout_s * 1000)))
        if came:
            self.socket.recv()
            self.socket.send(b"")
        context.close()
        return came


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.context.close()


def test_client_is_refused_while_no_descriptors_are_left_and_the_next_is_admitted(gate: Gate) -> None:
    gate.error = OSError(errno.EMFILE, "Too many open files")
    assert not gate.admits_client(0.5)
    assert gate.asked == 1
    gate.error = None
    gate.context.check()
    assert gate.admits_client(5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_gate_whose_thread_has_ended_admits_no_client_and_says_so(gate: Gate) -> None:
    gate.error = RuntimeError("unexpected")
    assert not gate.admits_client(0.5)
    assert gate.asked == 1
    with pytest.raises(RuntimeError, match="admits clients has ended"):
        gate.context.check()
    assert not gate.admits_client(0.3)


def test_socket_with_keys_but_without_a_gatekeeper_admits_no_client() -> None:
    gate = Gate(has_gatekeeper=False)
    try:
        assert not gate.admits_client(0.5)
    finally:
        gate.context.close()
