"""The saved accounts of a relay: they never end it."""

from __future__ import annotations

import errno
import logging
import os
import resource
from pathlib import Path

import pytest

from remi_stream.config import CameraConfig, Config
from remi_stream.messages import Bodies
from remi_stream.relay import stage
from remi_stream.relay.stage import RelayStage
from tests.sample import bodies

CONFIG = Config(cameras=(CameraConfig(source="sample", name="front"),))


def published(relay: RelayStage, frame_id: int) -> int:
    """Frame id of the body that the relay publishes for a body."""
    (message,) = relay.step(bodies(camera="front", frame_id=frame_id))
    assert isinstance(message, Bodies)
    return message.frame_id


def saved_frames(folder: Path) -> int:
    """Next frame id in the account that a new relay goes on with."""
    return RelayStage(CONFIG, folder)._ledger.state("front").next_frame_id


def test_full_disk_does_not_end_the_relay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def write_to_full_disk(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(stage, "SAVE_RETRY_S", 0.0)
    relay = RelayStage(CONFIG, tmp_path)
    with monkeypatch.context() as full, caplog.at_level(logging.WARNING, "remi_stream"):
        full.setattr(os, "pwrite", write_to_full_disk)
        assert [published(relay, frame_id) for frame_id in range(5)] == list(range(5))
    assert [record.getMessage() for record in caplog.records] == [
        f"cannot write {tmp_path}/ledger.front: No space left on device; frames are counted anew if the relay restarts"
    ]
    published(relay, 5)  # there is space again
    relay.close()
    assert saved_frames(tmp_path) == 6


def test_relay_without_descriptors_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "SAVE_RETRY_S", 0.0)
    relay = RelayStage(CONFIG, tmp_path)
    published(relay, 0)  # what it opens at its first body is open
    relay._saved.close()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        assert published(relay, 1) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert saved_frames(tmp_path) == 1
    published(relay, 2)
    assert saved_frames(tmp_path) == 3
    relay.close()
