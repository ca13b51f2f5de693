"""Filters in the relay: one per camera, changed at run time, and their failures."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from remi_stream.config import CameraConfig, Config
from remi_stream.errors import RemiError
from remi_stream.filters import registry as choices
from remi_stream.filters.registry import FILTERS, PRESETS, FilterEntry
from remi_stream.filters.smoothers import IdentityFilter, TrackFilter
from remi_stream.measure.remi_metrics import RELAY_COLUMNS, STREAM_SCALES, FilteredPackets
from remi_stream.messages import Bodies, CameraFacts, Person
from remi_stream.models.manifest import ModelFile
from remi_stream.relay import filtering
from remi_stream.relay.filtering import SAVED_FILTERS_FILE
from remi_stream.relay.stage import RelayStage
from remi_stream.remi.wire import rotate_to_y_up
from tests.filters.loading import load_filter
from tests.filters.test_smoothers import someone
from tests.sample import bodies, facts, person

FPS = 30.0
LIGHT = [name for name in FILTERS if name != "smoothnet"]


def relay(folder: Path | None = None, cameras: tuple[str, ...] = ("front",), **more: Any) -> RelayStage:
    config = Config(cameras=tuple(CameraConfig(name=name, source="synthetic:") for name in cameras), **more)
    stage = RelayStage(config, folder)
    stage.open()
    return stage


def step(stage: RelayStage, frame_id: int, people: list[Person], camera: str = "front") -> Bodies:
    [found] = stage.step(bodies(frame_id, 100 + frame_id / FPS, camera=camera, people=people))
    assert isinstance(found, Bodies)
    return found


def send_facts(stage: RelayStage, captured: int, camera: str = "front") -> CameraFacts:
    [found] = stage.step(facts(captured, camera=camera))
    assert isinstance(found, CameraFacts)
    return found


def ask(stage: RelayStage, **fields: Any) -> dict[str, Any]:
    return stage.answer_control(fields)


def name_of(stage: RelayStage, camera: str = "front") -> str:
    found: str = ask(stage, ask="filter")["filters"][camera]["name"]
    return found


def swing(k: int) -> Person:
    return someone(0.4 * math.sin(k / 6), 0.3 * math.sin(k / 6))


def wait_for(done: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


@pytest.mark.parametrize("name", [*LIGHT, "OneEuro Moderate"])
def test_relay_filters_people_and_names_the_filter(name: str) -> None:
    stage, alone = relay(filter=name), load_filter(name)
    for k in range(20):
        people = [swing(k), someone(0.02 * k, 1.0, track_id=2)]
        found = step(stage, k, people)
        assert found.filter == name
        for one, other in zip(found.people, people, strict=True):
            wanted = alone.filter(other, 100 + k / FPS)
            np.testing.assert_array_equal(one.joints_m, wanted.joints_m)
            assert one.smpl is not None
            assert wanted.smpl is not None
            np.testing.assert_array_equal(one.smpl.body_pose, wanted.smpl.body_pose)


@pytest.mark.parametrize("name", ["none", "No Filter Active"])
def test_without_a_filter_people_pass_as_the_same_objects(name: str) -> None:
    stage, people = relay(filter=name), [person(1), person(2)]
    found = step(stage, 0, people)
    assert [one is other for one, other in zip(found.people, people)] == [True, True]
    assert found.filter == "none"
    assert send_facts(stage, 1).filter_lag_s == 0.0


def test_default_filter_is_one_euro() -> None:
    assert step(relay(), 0, [person()]).filter == "one_euro"


def test_frame_without_people_passes() -> None:
    assert step(relay(), 0, []).people == []


def test_each_camera_has_a_filter_of_its_own() -> None:
    stage = relay(cameras=("left", "right"))
    ask(stage, ask="filter", name="none", camera="left")
    assert {camera: each["name"] for camera, each in ask(stage, ask="filter")["filters"].items()} == {
        "left": "none",
        "right": "one_euro",
    }
    for k in range(5):
        found = {camera: step(stage, k, [someone(x=0.1 * (k % 2))], camera) for camera in ("left", "right")}
    assert {camera: each.filter for camera, each in found.items()} == {"left": "none", "right": "one_euro"}
    assert found["left"].people[0].joints_m[0, 0] != found["right"].people[0].joints_m[0, 0]


def test_change_applies_from_the_next_frame_on_with_fresh_state() -> None:
    stage = relay(filter="moving_avg")
    for k in range(10):
        step(stage, k, [someone(x=0.0)])
    answer = ask(stage, ask="filter", name="single-exp", options={"time_s": 0.2})
    assert answer["filters"]["front"] == {
        "name": "single_exp",
        "kind": "single_exp",
        "options": {"time_s": 0.2},
        "lag_s": None,
        "state": "on",
    }
    one = someone(x=1.0)
    found = step(stage, 10, [one])
    assert found.filter == "single_exp"
    assert found.people[0] is one
    assert send_facts(stage, 11).filter == "single_exp"


def test_change_that_is_refused_changes_nothing() -> None:
    stage = relay()
    for fields, words in (
        ({"name": "nothing"}, "Unknown filter 'nothing'"),
        ({"name": "one_euro", "options": {"window": 3}}, "Unknown option of filter 'one_euro': 'window'"),
        ({"name": "none", "camera": "back"}, "Unknown camera 'back'"),
    ):
        with pytest.raises(RemiError, match=words):
            ask(stage, ask="filter", **fields)
    assert name_of(stage) == "one_euro"


def test_lag_is_in_facts_status_and_filter_reply() -> None:
    stage = relay(filter="moving_avg", filter_options={"window_s": 4.5 / FPS})
    assert send_facts(stage, 1).filter_lag_s is None
    for k in range(90):
        step(stage, k, [swing(k)])
    stage._smoothing._active["front"]._lag_due = 0.0
    assert send_facts(stage, 90).filter_lag_s == pytest.approx(2 / FPS, abs=0.002)
    for reply in (ask(stage, ask="filter"), ask(stage, ask="status")):
        assert reply["filters"]["front"]["lag_s"] == pytest.approx(2 / FPS, abs=0.002)
    ask(stage, ask="filter", name="one_euro")
    assert send_facts(stage, 91).filter_lag_s is None


def test_metrics_are_remis_of_the_first_person_raw_and_filtered() -> None:
    stage = relay(filter="OneEuro Moderate")
    raw = [swing(k) for k in range(8)]
    found = [step(stage, k, [msgspec.structs.replace(person(9), smpl=None), each]).people[1] for k, each in enumerate(raw)]
    answer = ask(stage, ask="filter_metrics")
    assert answer["columns"] == list(RELAY_COLUMNS[1:])
    row = answer["rows"]["front"]
    assert row[:2] == ["OneEuro Moderate", "OneEuro Moderate"]
    numbers = dict(zip(RELAY_COLUMNS[3:], row[2:]))
    for words, people in (("Raw", raw), ("Filtered", found)):
        poses = [each.smpl for each in people if each.smpl]
        for part, values in (
            ("Pose Body Change", [each.body_pose for each in poses]),
            ("Pose Root Change", [rotate_to_y_up(each.global_orient) for each in poses]),
            ("Trans Change (mm)", [STREAM_SCALES["trans"] * each.transl[:2] for each in poses]),
        ):
            wanted = np.linalg.norm(np.diff(np.array(values, np.float64), axis=0), axis=1).mean()
            assert numbers[f"Avg {words} {part}"] == pytest.approx(wanted, rel=1e-5)
        assert numbers[f"Avg {words} Betas Variance"] == 0
    assert numbers["Avg Relay Packet Processing FPS"] > 0
    assert 0 < numbers["Avg Filter Latency (ms)"] < 1000


def test_metrics_start_anew_with_another_filter() -> None:
    stage = relay()
    for k in range(5):
        step(stage, k, [swing(k)])
    ask(stage, ask="filter", name="none")
    row = ask(stage, ask="filter_metrics", camera="front")["rows"]["front"]
    assert row[:2] == ["none", "none"]
    assert all(math.isnan(number) for number in row[2:])


def test_metrics_are_only_computed_when_they_are_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, computed = relay(), list[int]()

    def measure(packets: FilteredPackets, now: float) -> list[float]:
        computed.append(len(packets.received_at))
        return []

    monkeypatch.setattr(filtering, "relay_means", measure)
    for k in range(600):
        step(stage, k, [swing(k)])
    assert computed == []
    ask(stage, ask="filter_metrics")
    assert computed == [481], "REMI's 480 rows, and the packet before"


def test_restarted_relay_restores_the_selected_filter(tmp_path: Path) -> None:
    before = relay(tmp_path, cameras=("left", "right"))
    ask(before, ask="filter", name="moving-avg", options={"window_s": 0.3}, camera="left")
    ask(before, ask="filter", name="oneeuro smooth", camera="right")
    after = relay(tmp_path, cameras=("left", "right"))
    assert ask(after, ask="filter") == ask(before, ask="filter")
    assert (name_of(after, "left"), name_of(after, "right")) == ("moving_avg", "OneEuro Smooth")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff", b"[1]", b'{"front": 3}', b'{"front": {"name": "none"}}', b'{"front": {"name": "a", "kind": "b", "x": 1}}'],
)
def test_broken_file_of_selections_is_ignored_with_a_warning(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("remi_stream"), "propagate", True)
    (tmp_path / SAVED_FILTERS_FILE).write_bytes(content)
    assert name_of(relay(tmp_path)) == "one_euro"
    assert len({line for line in caplog.messages if "cannot read the saved filters" in line}) == 1


@pytest.mark.parametrize("kind", ["gone", "one_euro"])
def test_saved_filter_that_no_longer_exists_is_replaced_by_the_configured_one(kind: str, tmp_path: Path) -> None:
    (tmp_path / SAVED_FILTERS_FILE).write_text(json.dumps({"front": {"name": "gone", "kind": kind, "options": {"gone": 1}}}))
    stage = relay(tmp_path)
    assert name_of(stage) == "one_euro"
    assert step(stage, 0, [person()]).filter == "one_euro"


def test_unwritable_folder_stops_nothing(tmp_path: Path) -> None:
    stage = relay(tmp_path / "not there")
    ask(stage, ask="filter", name="none")
    assert name_of(stage) == "none"


class Breaking(IdentityFilter):
    """Raises for a person at 7 m."""

    def filter(self, person: Person, captured_at: float) -> Person:
        if person.joints_m[0, 0] == 7:
            raise np.linalg.LinAlgError("singular\nmatrix")
        return person


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILTERS, "breaking", FilterEntry(f"{__name__}:Breaking", ""))


@pytest.mark.usefixtures("breaking")
def test_failing_filter_is_disabled_and_people_pass_unfiltered() -> None:
    stage = relay(filter="breaking", cameras=("front", "back"))
    assert step(stage, 0, [someone()]).filter == "breaking"
    for k in (1, 2):
        people = [someone(x=7.0)]
        found = step(stage, k, people)
        assert found.people[0] is people[0]
        assert found.filter == "none"
    assert send_facts(stage, 3).filter == "none"
    reply = ask(stage, ask="filter")["filters"]
    assert reply["front"]["fault"] == "breaking failed (singular matrix) and was disabled"
    assert "fault" not in reply["back"]
    ask(stage, ask="filter", name="one_euro")
    assert step(stage, 3, [someone(x=7.0)]).filter == "one_euro"
    assert "fault" not in ask(stage, ask="filter")["filters"]["front"]


@pytest.mark.parametrize("name", [*LIGHT, *PRESETS])
def test_people_with_nan_or_huge_values_stop_nothing(name: str) -> None:
    stage = relay(filter=name)
    largest = float(np.finfo(np.float32).max)
    for k, x in enumerate([0.0, math.nan, 0.0, math.inf, 0.0, largest, -largest, 0.0, 0.5, largest, 0.25, 0.25, 0.25]):
        found = step(stage, k, [someone(x=x)]).people[0]
        assert np.isfinite(found.joints_m).all() == math.isfinite(x)
    assert abs(found.joints_m[0, 0]) < 1e6


class Slow:
    """A filter that is loaded as soon as `ready` is set; it fails if `fault` is."""

    ready, fault = threading.Event(), ""

    @classmethod
    def open(cls) -> TrackFilter:
        assert cls.ready.wait(20)
        if cls.fault == "a bug":
            raise KeyError(cls.fault)
        if cls.fault:
            raise RemiError(cls.fault)
        return load_filter("moving_avg")  # type: ignore[return-value]


def open_slow() -> TrackFilter:
    return Slow.open()


def slow_files() -> list[Any]:
    return [(ModelFile(name="weights", file=__file__, licence=""), "torch")]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Slow]]:
    monkeypatch.setitem(choices.FILTERS, "slow", FilterEntry(f"{__name__}:open_slow", "", {}, f"{__name__}:slow_files"))
    monkeypatch.setattr(Slow, "ready", ready := threading.Event())
    monkeypatch.setattr(Slow, "fault", "")
    yield Slow
    ready.set()


def test_slow_filter_replaces_the_old_one_once_loaded(slow: type[Slow]) -> None:
    stage = relay(filter="single_exp")
    reply = ask(stage, ask="filter", name="slow")["filters"]["front"]
    assert (reply["name"], reply["state"], reply["lag_s"]) == ("slow", "loading", None)
    assert step(stage, 0, [person()]).filter == "single_exp"
    assert send_facts(stage, 1).filter == "single_exp"
    slow.ready.set()
    wait_for(lambda: ask(stage, ask="filter")["filters"]["front"]["state"] == "on")
    assert step(stage, 1, [person()]).filter == "slow"


def test_pipeline_that_starts_with_a_slow_filter_publishes_at_once(slow: type[Slow]) -> None:
    stage = relay(filter="slow")
    assert step(stage, 0, [person()]).filter == "none"
    slow.ready.set()
    wait_for(lambda: step(stage, 1, [person()]).filter == "slow")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(("fault", "text"), [("no weights", "no weights"), ("a bug", "slow could not be loaded; see the log")])
def test_filter_that_cannot_be_loaded_leaves_the_old_one(slow: type[Slow], fault: str, text: str, tmp_path: Path) -> None:
    stage = relay(tmp_path, filter="single_exp")
    slow.fault = fault
    slow.ready.set()
    ask(stage, ask="filter", name="slow")
    wait_for(lambda: ask(stage, ask="filter")["filters"]["front"]["state"] == "on")
    assert ask(stage, ask="filter")["filters"]["front"]["fault"] == text
    assert step(stage, 0, [person()]).filter == "single_exp"
    assert name_of(relay(tmp_path)) == "single_exp"
    ask(stage, ask="filter", name="none")
    assert "fault" not in ask(stage, ask="filter")["filters"]["front"]


def test_selection_while_another_filter_loads_replaces_it(slow: type[Slow]) -> None:
    stage = relay()
    ask(stage, ask="filter", name="slow")
    ask(stage, ask="filter", name="none")
    slow.ready.set()
    assert (name_of(stage), step(stage, 0, [person()]).filter) == ("none", "none")


def test_filter_without_its_weights_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMI_HOME", str(tmp_path))
    stage = relay()
    with pytest.raises(RemiError, match=r"smoothnet_w32 is missing.*remi-stream models import checkpoint_32") as caught:
        ask(stage, ask="filter", name="smoothnet")
    assert "\n" not in str(caught.value)
    assert name_of(stage) == "one_euro"
    assert "fault" not in ask(stage, ask="filter")["filters"]["front"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "unknown request None; allowed: status, filter, filter_metrics, record"),
        ({"ask": ["filter"]}, "unknown request ['filter']"),
        ({"ask": "filter", "name": 3}, "Control: filter: `name` is 3; allowed: a text"),
        ({"ask": "filter", "nam": "none"}, "there is no key `nam`. Did you mean `name`? Keys: ask, name, options, camera"),
        (
            {"ask": "filter", "name": "one_euro", "options": {"lead": "1"}},
            "`options` is a map of 1 entry; allowed: a map of names to numbers",
        ),
        ({"ask": "filter", "name": "one_euro", "options": {"lead": -1}}, "lead must be a number, 0 or more"),
        ({"ask": "filter", "options": {"lead": 1}}, "options of a filter without its `name`"),
        ({"ask": "filter", "camera": "back"}, "Unknown camera 'back'. Known: front."),
        ({"ask": "filter_metrics", "camera": "back"}, "Unknown camera 'back'"),
        ({"ask": "record", "on": "yes"}, "record: `on` is 'yes'; allowed: true or false"),
    ],
)
def test_invalid_request_is_refused_in_one_line(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(RemiError) as caught:
        relay().answer_control(fields)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_record_request_is_answered_and_published_in_the_facts() -> None:
    stage = relay()
    assert ask(stage, ask="record", on=False) == {"record": "off"}
    assert stage.facts == {"record": "off"}
    assert ask(stage, ask="record") == {"record": "on"}
