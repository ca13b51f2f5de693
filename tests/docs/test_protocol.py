"""The documents say what the code does: every field, every metric, and the client works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import numpy as np
import pytest

from remi_stream.config import METRICS_SERVICE as METRICS_PORT
from remi_stream.config import daemon_port
from remi_stream.messages import MAX_INLINE_ARRAY_BYTES, SCHEMA_VERSION, FrameMessage
from remi_stream.metrics import METRICS
from remi_stream.paths import run_folder_path
from remi_stream.skeletons import JOINT_NAMES
from remi_stream.topics import BUS_TOPICS
from remi_stream.transport.address import address_in, daemon_address
from remi_stream.transport.link import LinkContext, Publisher
from tests.sample import bodies, facts, health, person

DOCS = Path(__file__).parents[2] / "docs"
PROTOCOL = (DOCS / "reference" / "protocol.md").read_text()


def sections(text: str) -> dict[str, str]:
    """The parts of a page by their heading."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def rows(text: str) -> dict[str, list[str]]:
    """A page's table rows by the name in their first cell."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in cells}


def structs(kind: Any) -> set[type[msgspec.Struct]]:
    """All structs that a type is made of."""
    if not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
        return {found for part in get_args(kind) for found in structs(part)}
    return {kind}.union(*(structs(hint) for hint in get_type_hints(kind).values()))


ON_THE_BUS = sorted({found for kind in BUS_TOPICS.values() for found in structs(kind)}, key=lambda kind: kind.__name__)


def test_everything_on_the_bus_is_found() -> None:
    known = ["Bodies", "CameraFacts", "Frame", "Health", "Person", "PlaybackCommand", "PlaybackStatus", "Smpl"]
    assert [kind.__name__ for kind in ON_THE_BUS] == known


@pytest.mark.parametrize("kind", [FrameMessage, *ON_THE_BUS], ids=lambda kind: kind.__name__)
def test_every_field_of_a_message_is_documented_and_no_other(kind: type[msgspec.Struct]) -> None:
    inherited = FrameMessage.__struct_fields__ if kind is not FrameMessage and issubclass(kind, FrameMessage) else ()
    assert list(rows(sections(PROTOCOL)[kind.__name__])) == [name for name in kind.__struct_fields__ if name not in inherited]


@pytest.mark.parametrize("kind", ON_THE_BUS, ids=lambda kind: kind.__name__)
def test_every_word_that_a_field_may_hold_is_documented(kind: type[msgspec.Struct]) -> None:
    documented = rows(sections(PROTOCOL)[kind.__name__])
    for name, hint in get_type_hints(kind).items():
        words = [word for word in get_args(hint) if isinstance(word, str)]
        text = " ".join(documented.get(name, []))
        assert all(f"`{word}`" in text or f'`"{word}"`' in text for word in words), name


def test_numbers_in_the_document_are_those_of_the_code() -> None:
    assert f"says its `schema`, which is {SCHEMA_VERSION}." in PROTOCOL
    assert f"Up to {MAX_INLINE_ARRAY_BYTES} bytes" in PROTOCOL
    assert f"on port {daemon_port('default', METRICS_PORT)}" in PROTOCOL
    address = address_in(Path("/FOLDER"))
    assert all(f"| `FOLDER/{name}` |" in PROTOCOL for name in ("bus", "control"))
    assert (address.bus, address.control) == ("ipc:///FOLDER/bus", "ipc:///FOLDER/control")


def test_every_topic_and_skeleton_is_named() -> None:
    assert set(re.findall(r"^\| `(\w+)/<", PROTOCOL, flags=re.MULTILINE)) == set(BUS_TOPICS)
    conventions = (DOCS / "reference" / "conventions.md").read_text()
    assert all(f"`{name}`" in conventions for name in JOINT_NAMES if name != "point")


def test_every_metric_is_documented_with_its_labels_and_no_other() -> None:
    documented = rows(sections("## it\n" + (DOCS / "reference" / "metrics.md").read_text())["it"])
    found = {name: cells for name, cells in documented.items() if name.startswith("remi_")}
    assert list(found) == list(METRICS)
    for name, metric in METRICS.items():
        assert found[name][0] == metric.kind
        assert found[name][1] == ", ".join(f"`{label}`" for label in metric.labels)


@pytest.mark.parametrize("joints", [24, MAX_INLINE_ARRAY_BYTES // 12 + 1])
def test_client_of_the_document_reads_a_real_bus_without_us(joints: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.findall(r"```python\n(.*?)```", sections(PROTOCOL)["A client"], flags=re.DOTALL)[0]
    assert "remi_stream" not in code
    assert len(code.splitlines()) <= 16
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    context, address = LinkContext(), daemon_address("default")
    run_folder_path("default").mkdir(mode=0o700)
    publisher = Publisher(context, address)
    client = tmp_path / "client.py"
    client.write_text(code)
    process = subprocess.Popen([sys.executable, str(client)], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        assert publisher.socket.poll(15_000)
        publisher.publish("camera/front", facts())
        publisher.publish("health/pose", health())
        publisher.publish("bodies/front", bodies(41, people=[]))
        publisher.publish("bodies/front", bodies(42, people=[person(7, joints=joints)]))
        assert process.stdout
        assert process.stdout.readline() == f"front 42 7 {np.array([0.25, -0.5, 3.0], np.float32)}\n"
    finally:
        process.kill()
        process.wait()
        context.close()
