"""REMI's metrics, by their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from remi_stream.measure import remi_metrics
from remi_stream.measure.remi_metrics import FilteredPackets, PoseMeter, PoseObservation, measure_packets, relay_means

SIZES = {"poses_body": 69, "poses_root": 3, "betas": 10, "trans": 3}


def look(seed: int) -> PoseObservation:
    random = np.random.default_rng(seed)
    turns, vertices = random.normal(size=(23, 3, 3)), random.normal(size=(40, 3))
    return PoseObservation(
        turns.astype(np.float32), random.normal(size=10).astype(np.float32), vertices.astype(np.float32), random.normal(size=4)
    )


def packets(received_at: list[float], filter_s: list[float] | None = None, since_last_s: float | None = None) -> FilteredPackets:
    times, random = np.array(received_at), np.random.default_rng(len(received_at))
    before, after = ({name: random.normal(size=(len(times), size)) for name, size in SIZES.items()} for _ in range(2))
    since = np.diff(times, prepend=math.nan) if since_last_s is None else np.full(len(times), since_last_s)
    return FilteredPackets(times, since, np.array(filter_s or np.zeros(len(times))), before, after)


def test_columns_are_remis() -> None:
    assert len(remi_metrics.POSE_COLUMNS) == len(remi_metrics.PoseValues._fields) + 2 == 9
    assert len(remi_metrics.RELAY_COLUMNS) == len(remi_metrics.RelayValues._fields) + 3 == 13


def test_pose_meter_measures_what_remi_does() -> None:
    meter, a, b = PoseMeter(), look(1), look(2)
    meter.add(1.0, 0.05, a)
    values = meter.add(1.1, 0.04, b)
    assert (values.fps, values.latency_ms, values.detection_rate) == (25, 40, 100)
    assert values.pose_change == pytest.approx(sum(np.sqrt(((b.rotations - a.rotations) ** 2).sum((1, 2)))), rel=1e-6)
    assert values.translation_change == pytest.approx(1000 * np.sqrt(((b.camera - a.camera) ** 2).sum()))
    assert values.joint_change_mm == pytest.approx(1000 * np.sqrt(((b.vertices_m - a.vertices_m) ** 2).sum(1)).mean(), rel=1e-6)
    assert values.shape_variance == pytest.approx(((b.betas - b.betas.mean()) ** 2).mean(), rel=1e-6)


def test_precision_of_the_network_decides_that_of_the_means() -> None:
    meter = PoseMeter()
    meter.add(1.0, 0.05, look(1))
    meter.add(1.1, 0.04, look(2))
    assert [isinstance(mean, np.float32) for mean in meter.means(1.2)] == [False, False, True, False, True, True, False]


def test_frame_without_people_invalidates_the_next_changes() -> None:
    meter = PoseMeter()
    values = [meter.add(float(k), 0.05, seen) for k, seen in enumerate([look(1), None, look(2), look(3)])]
    assert [math.isnan(value.pose_change) for value in values] == [True, True, True, False]
    assert [math.isnan(value.shape_variance) for value in values] == [False, True, False, False]
    assert [value.detection_rate for value in values] == [100, 0, 100, 100]
    means = meter.means(3.0)
    assert means[2] == pytest.approx(values[3].pose_change)
    assert means[6] == 75


@pytest.mark.parametrize("loop_s", [0.0, 1e-6])
def test_no_time_has_no_rate(loop_s: float) -> None:
    assert PoseMeter().add(0.0, loop_s, None).fps == 0
    assert measure_packets(packets([0.0], since_last_s=loop_s)).fps == 0


def test_means_are_over_the_last_five_seconds() -> None:
    meter = PoseMeter()
    for at, loop_s in ((0.0, 1.0), (1.0, 0.1), (6.0, 0.3)):
        meter.add(at, loop_s, None)
    assert meter.means(6.0)[1] == pytest.approx(200)
    assert meter.means(6.1)[1] == pytest.approx(300)


def test_window_length_can_be_chosen() -> None:
    meter = PoseMeter(20)
    for k in range(2500):
        meter.add(k / 100, float(k), None)
    assert meter.means(24.99)[1] == pytest.approx(1000 * np.mean(range(2500 - 60 * 22, 2500))), "60 rows a second, and two more"
    assert meter.means(44.9)[1] == pytest.approx(1000 * np.mean(range(2490, 2500)))


def test_buffers_are_bounded() -> None:
    meter = PoseMeter()
    for k in range(600):
        meter.add(0.0, float(k), None)
    assert meter.means(0.0)[1] == pytest.approx(1000 * np.mean(range(600 - 420, 600)))
    means = relay_means(packets([0.0] * 600, [k / 1000 for k in range(600)]), 0.0)
    assert means[1] == pytest.approx(np.mean(range(600 - 480, 600)))


@pytest.mark.parametrize(("means", "count"), [(PoseMeter().means(5.0), 7), (relay_means(packets([]), 5.0), 10)])
def test_nothing_measured_is_no_number(means: list[float], count: int) -> None:
    assert len(means) == count
    assert all(math.isnan(mean) for mean in means)


def test_relay_means_are_over_the_last_five_seconds_with_changes_from_the_packet_before() -> None:
    seen = packets([0.0, 1.0, 5.0, 6.0], [0.001, 0.002, 0.003, 0.004])
    values, means = measure_packets(seen), relay_means(seen, 6.0)
    assert means == pytest.approx([float(column[1:].mean()) for column in values])
    assert means[:2] == pytest.approx([np.mean([1, 1 / 4, 1]), 3])


def test_relay_measures_both_sides_of_the_filter() -> None:
    seen = packets([1.0, 1.04], [0.001, 0.002])
    values = measure_packets(seen)
    assert math.isnan(values.fps[0])
    assert math.isnan(values.raw_body[0])
    both = seen.raw, seen.filtered
    steps = {name: [np.linalg.norm(side[name][1] - side[name][0]) for side in both] for name in SIZES}
    assert (values.fps[1], values.filter_ms[1]) == (pytest.approx(25), 2)
    assert [values.raw_body[1], values.filtered_body[1]] == pytest.approx(steps["poses_body"])
    assert [values.raw_root[1], values.filtered_root[1]] == pytest.approx(steps["poses_root"])
    assert [values.raw_trans_mm[1], values.filtered_trans_mm[1]] == pytest.approx([1000 * step for step in steps["trans"]])
    assert [values.raw_betas[1], values.filtered_betas[1]] == pytest.approx([np.var(side["betas"][1]) for side in both])
