"""One camera's filter at work: what smooths its people, how late it makes them, and REMI's measures of it."""

from __future__ import annotations

import logging
import math
import time

import msgspec
import numpy as np

from remi_stream.filters import quaternion
from remi_stream.filters.choice import Choice
from remi_stream.filters.filter import Filter
from remi_stream.formats.remi import placed
from remi_stream.measure.relay_program import RelayMeter
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.relay.lag import LagMeter

LAG_EVERY_S = 1.0
FAULTS = (ArithmeticError, LookupError, RuntimeError, ValueError)
"""What a filter, or what its network runs in, may raise over a person's numbers."""

log = logging.getLogger("remi_stream")


class CameraFilter:
    """Everything begins anew with another filter. fault: why it smooths nobody any more, in one line."""

    def __init__(self, camera: str, choice: Choice, made: Filter) -> None:
        self.choice, self.fault = choice, ""
        self._camera, self._filter = camera, made
        self._lag, self._lag_s, self._lag_due = LagMeter(), made.lag_s if choice.kind == "none" else None, 0.0
        self._meter, self._packet_at = RelayMeter(), math.nan

    @property
    def label(self) -> str:
        """What smooths the people."""
        return "none" if self.fault else self.choice.label

    def smooth(self, bodies: Bodies, now: float) -> Bodies:
        """The bodies, with their people smoothed; the same ones if nothing is to be done. now: s, received."""
        if self.fault:
            return bodies
        began = time.perf_counter()
        try:
            people = [self._filter.filter(person, bodies.captured_at) for person in bodies.people]
        except FAULTS as error:
            self.fault = f"{self.choice.name} failed on somebody ({' '.join(str(error).split())}) and was taken off"
            log.exception("%s: filter %s", self._camera, self.fault)
            return bodies
        spent_s = (time.perf_counter() - began) / max(1, len(people))
        self._measure(bodies, people, now, spent_s)
        same = self.choice.kind == "none"
        return bodies if same else msgspec.structs.replace(bodies, people=people, filter=self.label)

    def lag_s(self, now: float) -> float | None:
        """How late people are, s, as measured in the last moments; None while it is not known."""
        if self.choice.kind != "none" and now >= self._lag_due:
            self._lag_due = now + LAG_EVERY_S
            self._lag_s = self._lag.measure()
        return self._lag_s

    def metrics(self, now: float) -> list[str | float]:
        """REMI's row for this filter, without its time: the means of the last five seconds."""
        return [self.choice.name, self.choice.name, *map(float, self._meter.means(now))]

    def _measure(self, bodies: Bodies, people: list[Person], now: float, spent_s: float) -> None:
        if self.choice.kind != "none":
            for raw, filtered in zip(bodies.people, people):
                self._lag.take(raw, filtered, bodies.captured_at)
        first = next(((raw.smpl, own.smpl) for raw, own in zip(bodies.people, people) if raw.smpl and own.smpl), None)
        if first:
            self._meter.take(now, now - self._packet_at, spent_s, *streams(*first))
            self._packet_at = now


def streams(raw: Smpl, filtered: Smpl) -> list[dict[str, np.ndarray]]:
    """REMI's four streams of a person before and after the filter.

    Where the viewer would draw them is told in metres of the whole picture; REMI's program knows it of the crop only.
    """
    roots = half_turned(np.array([raw.global_orient, filtered.global_orient], np.float64))
    return [
        {"poses_body": smpl.body_pose, "poses_root": root, "betas": smpl.betas, "trans": placed(smpl.transl[:2])}
        for smpl, root in zip((raw, filtered), roots)
    ]


def half_turned(vectors: np.ndarray) -> np.ndarray:
    """What formats/remi.py calls turned, of rotation vectors (N, 3): four times as quick, since it is needed for every frame."""
    x, y, z, w = quaternion.from_vectors(vectors).T
    return quaternion.to_vectors(np.stack([w, -z, y, -x], 1))
