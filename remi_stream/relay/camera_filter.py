"""Filter of one camera: smooths its people, measures its lag and REMI's metrics."""

from __future__ import annotations

import logging
import math
import time

import msgspec
import numpy as np

from remi_stream.filters import quaternion
from remi_stream.filters.choice import FilterSpec
from remi_stream.filters.filter import Filter
from remi_stream.formats.remi import viewer_translation
from remi_stream.measure.relay_program import RelayMeter
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.relay.lag import LagMeter

LAG_INTERVAL_S = 1.0
"""Interval of lag measurements, s."""
FILTER_ERRORS = (ArithmeticError, LookupError, RuntimeError, ValueError)
"""Exceptions that a filter or its runtime may raise for invalid poses."""

log = logging.getLogger("remi_stream")


class CameraFilter:
    """A running filter; another filter starts with fresh state. fault: error that disabled it, one line."""

    def __init__(self, camera: str, choice: FilterSpec, filter: Filter) -> None:
        self.choice, self.error = choice, ""
        self._camera, self._filter = camera, filter
        self._lag, self._lag_s, self._lag_due = LagMeter(), filter.lag_s if choice.kind == "none" else None, 0.0
        self._meter, self._packet_at = RelayMeter(), math.nan

    @property
    def label(self) -> str:
        """Name of the active filter."""
        return "none" if self.error else self.choice.label

    def smooth(self, bodies: Bodies, now: float) -> Bodies:
        """Smooth the people; returns the same object if the filter changes nothing. now: time of receipt, s."""
        if self.error:
            return bodies
        started_at = time.perf_counter()
        try:
            people = [self._filter.filter(person, bodies.captured_at) for person in bodies.people]
        except FILTER_ERRORS as error:
            self.error = f"{self.choice.name} failed ({' '.join(str(error).split())}) and was disabled"
            log.exception("%s: filter %s", self._camera, self.error)
            return bodies
        spent_s = (time.perf_counter() - started_at) / max(1, len(people))
        self._measure(bodies, people, now, spent_s)
        same = self.choice.kind == "none"
        return bodies if same else msgspec.structs.replace(bodies, people=people, filter=self.label)

    def lag_s(self, now: float) -> float | None:
        """Lag of the filter over the last seconds, s; None while it is not known."""
        if self.choice.kind != "none" and now >= self._lag_due:
            self._lag_due = now + LAG_INTERVAL_S
            self._lag_s = self._lag.measure()
        return self._lag_s

    def remi_metrics(self, now: float) -> list[str | float]:
        """Row of REMI's metrics for this filter, without its time: means of the last five seconds."""
        return [self.choice.name, self.choice.name, *map(float, self._meter.means(now))]

    def _measure(self, bodies: Bodies, people: list[Person], now: float, spent_s: float) -> None:
        if self.choice.kind != "none":
            for raw, filtered in zip(bodies.people, people):
                self._lag.add(raw, filtered, bodies.captured_at)
        first = next(((raw.smpl, own.smpl) for raw, own in zip(bodies.people, people) if raw.smpl and own.smpl), None)
        if first:
            self._meter.add(now, now - self._packet_at, spent_s, *remi_streams(*first))
            self._packet_at = now


def remi_streams(raw: Smpl, filtered: Smpl) -> list[dict[str, np.ndarray]]:
    """REMI's four streams of a person, before and after the filter.

    The translation refers to the full image, in metres; REMI's program only knows it for the crop.
    """
    roots = rotate_180_about_x(np.array([raw.global_orient, filtered.global_orient], np.float64))
    return [
        {"poses_body": smpl.body_pose, "poses_root": root, "betas": smpl.betas, "trans": viewer_translation(smpl.transl[:2])}
        for smpl, root in zip((raw, filtered), roots)
    ]


def rotate_180_about_x(vectors: np.ndarray) -> np.ndarray:
    """Rotate rotation vectors (N, 3) by 180 degrees about x, REMI's convention; four times as fast as formats/remi.py."""
    x, y, z, w = quaternion.quaternions_from_rotation_vectors(vectors).T
    return quaternion.rotation_vectors_from_quaternions(np.stack([w, -z, y, -x], 1))
