"""Filters of the relay: one per camera, selected by name and changed at run time, with its lag and REMI's metrics.

A filter with a network is loaded in the background; the old one stays active until then. The selection is saved in the run
folder, so that a restarted relay restores it. The lag is measured once a second, REMI's metrics when someone requests them.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from remi_stream.config import Config
from remi_stream.errors import RemiError, unknown_name_error
from remi_stream.filters.registry import (
    Filter,
    FilterSpec,
    filter_weights,
    open_filter_spec,
    require_filter_weights,
    resolve_filter,
    resolve_stored_filter,
)
from remi_stream.measure.remi_metrics import MAX_ROWS, packets_from_poses, relay_means
from remi_stream.messages import Bodies, CameraFacts, Person, Smpl

SAVED_FILTERS_FILE = "filters.json"
FILTER_ERRORS = (ArithmeticError, LookupError, RuntimeError, ValueError)
"""Exceptions that a filter or its runtime may raise for invalid poses."""
LAG_INTERVAL_S = 1.0
"""Interval of lag measurements, s."""
LAG_WINDOW_S, MIN_LAG_WINDOW_S = 4.0, 1.5
"""Window of a track that is compared, and its minimum length, s."""
MAX_LAG_SAMPLES = 480
"""Maximum number of samples kept per track: the window at 120 frames per second."""
MAX_GAP_S = 0.5
"""A track interrupted for longer starts anew, as in the filters, s."""
MAX_LAG_S = 1.0
"""Maximum lag that is searched, s; also at most a third of the window."""
MAX_JOINTS = 8
"""About this many joints are compared, spread over the skeleton."""
SMOOTHING_WINDOW_S = 0.25
"""Length of the Hann window that smooths both motions, s; a symmetric window adds no delay."""
MIN_SPEED, MIN_NOISE_RATIO = 0.03, 2.0
"""Minimum motion for an estimate: RMS speed over the joints, m/s, and ratio to the apparent motion of noise alone."""

log = logging.getLogger("remi_stream")


class CameraFilters:
    """One filter per camera. folder: run folder, where the selection is saved for a restarted relay; None: not saved."""

    def __init__(self, config: Config, folder: Path | None = None) -> None:
        self._config, self._folder = config, folder
        self._cameras = [camera.name for camera in config.cameras]
        none = resolve_filter("none")
        self._active = {name: CameraFilter(name, none, open_filter_spec(none)) for name in self._cameras}
        self._loading: dict[str, FilterLoader] = {}
        self._load_errors: dict[str, str] = {}

    def open(self) -> None:
        """Restore the filters selected in this run, else open the configuration's. Raises RemiError."""
        chosen = resolve_filter(self._config.filter, self._config.filter_options)
        before = load_filters(self._folder) if self._folder else {}
        self._start(chosen, [camera for camera in self._cameras if camera not in before])
        for camera in before.keys() & set(self._cameras):
            self._restore(camera, before[camera], chosen)

    def smooth(self, bodies: Bodies, now: float) -> Bodies:
        """Smooth the people of a message. now: time of receipt, s."""
        self._finish_loading(bodies.camera)
        return self._active[bodies.camera].smooth(bodies, now)

    def with_filter_status(self, facts: CameraFacts, now: float) -> CameraFacts:
        """Copy of a camera's status with its filter and lag."""
        self._finish_loading(facts.camera)
        working = self._active[facts.camera]
        return msgspec.structs.replace(facts, filter=working.label, filter_lag_s=working.lag_s(now))

    def select_filter(self, name: str, options: dict[str, float], camera: str | None) -> None:
        """Change the filter of one camera or all; the old one stays active until the new one is loaded.

        Raises RemiError, and changes nothing, if the filter does not exist or its weights are missing.
        """
        choice, cameras = resolve_filter(name, options), self.cameras_of(camera)
        self._start(choice, cameras)
        log.info("%s: filter %s", ", ".join(cameras), choice.name)
        self._save()

    def status(self, camera: str | None = None) -> dict[str, dict[str, Any]]:
        """Filter status of each camera: name, kind, options, lag, state, fault."""
        return {name: self._status(name) for name in self.cameras_of(camera)}

    def remi_metrics(self, camera: str | None, now: float) -> dict[str, list[str | float]]:
        """REMI's metrics of each camera's filter."""
        return {name: self._active[name].remi_metrics(now) for name in self.cameras_of(camera)}

    def cameras_of(self, camera: str | None) -> list[str]:
        """This camera as a list, or all cameras. Raises UsageError."""
        if camera is not None and camera not in self._active:
            raise unknown_name_error("camera", camera, self._active)
        return self._cameras if camera is None else [camera]

    def _status(self, camera: str) -> dict[str, Any]:
        self._finish_loading(camera)
        loading, working = self._loading.get(camera), self._active[camera]
        choice = loading.choice if loading else working.choice
        status: dict[str, Any] = {"name": choice.name, "kind": choice.kind, "options": choice.options}
        status |= {"lag_s": None, "state": "loading"} if loading else {"lag_s": working.lag_s(time.monotonic()), "state": "on"}
        fault = self._load_errors.get(camera) or working.error
        return {**status, "fault": fault} if fault else status

    def _start(self, choice: FilterSpec, cameras: list[str]) -> None:
        """Activate a filter: now, or once loaded if it has weights."""
        if filter_weights(choice):
            require_filter_weights(choice)
            loading = FilterLoader(choice, cameras)
            for camera in cameras:
                self._loading[camera] = loading
                self._load_errors.pop(camera, None)
            return
        for camera in cameras:
            self._activate(camera, choice, open_filter_spec(choice))

    def _restore(self, camera: str, saved: FilterSpec, default: FilterSpec) -> None:
        """Restore a saved filter; if it no longer exists, use the default."""
        try:
            self._start(resolve_stored_filter(saved), [camera])
        except RemiError as error:
            log.warning("%s: the saved filter is not available: %s", camera, error)
            self._start(default, [camera])

    def _finish_loading(self, camera: str) -> None:
        loading = self._loading.get(camera)
        if loading is None or loading.is_alive():
            return
        if camera in loading.filters:
            self._activate(camera, loading.choice, loading.filters[camera])
            log.info("%s: filter %s is loaded", camera, loading.choice.name)
            return
        del self._loading[camera]
        self._load_errors[camera] = loading.error
        log.warning("%s: %s", camera, loading.error)
        self._save()

    def _activate(self, camera: str, choice: FilterSpec, made: Filter) -> None:
        self._active[camera] = CameraFilter(camera, choice, made)
        self._loading.pop(camera, None)
        self._load_errors.pop(camera, None)

    def _save(self) -> None:
        if self._folder:
            chosen = {camera: self._loading.get(camera, working).choice for camera, working in self._active.items()}
            save_filters(self._folder, chosen)


def save_filters(folder: Path, choices: dict[str, FilterSpec]) -> None:
    """Save the selected filter of each camera, atomically."""
    new = folder / f".{SAVED_FILTERS_FILE}"
    try:
        new.write_bytes(msgspec.json.encode(choices))
        os.replace(new, folder / SAVED_FILTERS_FILE)
    except OSError as error:
        log.warning("cannot save the selected filters (%s): a restarted relay will not restore them", error.strerror)


def load_filters(folder: Path) -> dict[str, FilterSpec]:
    """Load the filters selected in this run; empty if there are none or the file is invalid."""
    try:
        return msgspec.json.decode((folder / SAVED_FILTERS_FILE).read_bytes(), type=dict[str, FilterSpec])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("cannot read the saved filters (%s): using those of the configuration", error)
        return {}


class FilterLoader(threading.Thread):
    """Thread that loads a filter for each camera. When it ends, `filters` are set, or `error` is the error in one line."""

    def __init__(self, choice: FilterSpec, cameras: list[str]) -> None:
        super().__init__(name=f"loading {choice.name}", daemon=True)
        self.choice, self.cameras = choice, cameras
        self.filters: dict[str, Filter] = {}
        self.error = f"{choice.name} could not be loaded; see the log"
        self.start()

    def run(self) -> None:
        """Load the filters. An unexpected exception is logged with its traceback by the thread."""
        try:
            self.filters = {camera: open_filter_spec(self.choice) for camera in self.cameras}
        except RemiError as error:
            self.error = str(error)


class CameraFilter:
    """A running filter; another filter starts with fresh state. error: what disabled it, one line."""

    def __init__(self, camera: str, choice: FilterSpec, filter: Filter) -> None:
        self.choice, self.error = choice, ""
        self.label = choice.label
        """Name of the active filter."""
        self._camera, self._filter = camera, filter
        self._lag, self._lag_s, self._lag_due = LagMeter(), filter.lag_s if choice.kind == "none" else None, 0.0
        self._packets: deque[FilteredPacket] = deque(maxlen=MAX_ROWS + 1)  # one more: the first change is from it

    def smooth(self, bodies: Bodies, now: float) -> Bodies:
        """Smooth the people; returns the same object if the filter changes nothing. now: time of receipt, s."""
        if self.error:
            return bodies
        started_at = time.perf_counter()
        try:
            people = [self._filter.filter(person, bodies.captured_at) for person in bodies.people]
        except FILTER_ERRORS as error:
            self.error = f"{self.choice.name} failed ({' '.join(str(error).split())}) and was disabled"
            self.label = "none"
            log.exception("%s: filter %s", self._camera, self.error)
            return bodies
        spent_s = (time.perf_counter() - started_at) / max(1, len(people))
        self._keep(bodies, people, now, spent_s)
        same = self.choice.kind == "none"
        return bodies if same else msgspec.structs.replace(bodies, people=people, filter=self.label)

    def lag_s(self, now: float) -> float | None:
        """Lag of the filter over the last seconds, s; None while it is not known."""
        if self.choice.kind != "none" and now >= self._lag_due:
            self._lag_due = now + LAG_INTERVAL_S
            self._lag_s = self._lag.measure()
        return self._lag_s

    def remi_metrics(self, now: float) -> list[str | float]:
        """Row of REMI's metrics for this filter, without its time: means of the last five seconds, computed now."""
        received_at, filter_s, raw, filtered = map(np.array, zip(*self._packets) if self._packets else ((),) * 4)
        return [self.choice.name, self.choice.name, *relay_means(packets_from_poses(received_at, filter_s, raw, filtered), now)]

    def _keep(self, bodies: Bodies, people: list[Person], now: float, spent_s: float) -> None:
        """Keep what lag and REMI's metrics need of a frame; both are computed on request."""
        if self.choice.kind != "none":
            for raw, filtered in zip(bodies.people, people):
                self._lag.add(raw, filtered, bodies.captured_at)
        first = next(((raw.smpl, own.smpl) for raw, own in zip(bodies.people, people) if raw.smpl and own.smpl), None)
        if first:
            self._packets.append(FilteredPacket(now, spent_s, *map(flatten_smpl, first)))


class FilteredPacket(NamedTuple):
    """The first person with a SMPL pose of a frame, before and after the filter."""

    received_at: float
    """s."""
    filter_s: float
    """Computing time of the filter per person, s."""
    raw: np.ndarray
    """(85,) float32: global_orient, body_pose, betas, transl."""
    filtered: np.ndarray
    """(85,) float32, the same."""


def flatten_smpl(smpl: Smpl) -> np.ndarray:
    """Copy a pose to (85,) float32: the message's arrays are views on its buffer, which must not be kept."""
    return np.concatenate([smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl])


# Online estimate of a filter's lag, by cross-correlation of raw and filtered joints.


class LagSample(NamedTuple):
    """Joints of a track in one frame, before and after the filter."""

    captured_at: float
    raw: np.ndarray
    """(J, 3), m."""
    filtered: np.ndarray
    """(J, 3), m."""

    def is_valid(self) -> bool:
        """Whether there are joints and all are finite."""
        return bool(self.raw.size) and math.isfinite(np.vdot(self.raw, self.raw) + np.vdot(self.filtered, self.filtered))


class LagMeter:
    """Lag meter of one camera. `add` is cheap and runs per frame; `measure` is expensive and runs once a second."""

    def __init__(self) -> None:
        self._tracks: dict[int, deque[LagSample]] = {}

    def add(self, raw: Person, filtered: Person, captured_at: float) -> None:
        """Add a sample of a person; one with non-finite joints resets the track."""
        joints = joint_subset(len(raw.joints_m))
        sample = LagSample(captured_at, raw.joints_m[joints].copy(), filtered.joints_m[joints].copy())
        if not sample.is_valid():
            self._tracks.pop(raw.track_id, None)
            return
        track = self._tracks.get(raw.track_id)
        if track is None or not continues_track(track[-1], sample):
            self._forget_old(captured_at)
            track = self._tracks[raw.track_id] = deque(maxlen=MAX_LAG_SAMPLES)
        track.append(sample)

    def measure(self) -> float | None:
        """Lag of the filter, s, on the longest track; None if it cannot be estimated."""
        longest = max(self._tracks.values(), key=len, default=())
        if not longest:
            return None
        begin = longest[-1].captured_at - LAG_WINDOW_S
        return estimate_lag_s([sample for sample in longest if sample.captured_at >= begin])

    def _forget_old(self, now: float) -> None:
        old = [track_id for track_id, track in self._tracks.items() if abs(now - track[-1].captured_at) > MAX_GAP_S]
        for track_id in old:
            del self._tracks[track_id]


def continues_track(last: LagSample, sample: LagSample) -> bool:
    """Whether a sample continues a track."""
    return 0 < sample.captured_at - last.captured_at <= MAX_GAP_S and last.raw.shape == sample.raw.shape


def joint_subset(count: int) -> slice:
    """Slice of every n-th joint, so that about MAX_JOINTS are taken."""
    return slice(None, None, max(1, count // MAX_JOINTS))


def estimate_lag_s(samples: Sequence[LagSample]) -> float | None:
    """Estimate the lag of the filtered motion behind the raw one, s; negative if it is ahead.

    The shift with the least mean squared distance: cross-correlation, corrected for the energy at the ends of the window.
    A parabola through the three lowest values gives sub-frame precision.
    """
    if len(samples) < 8 or samples[-1].captured_at - samples[0].captured_at < MIN_LAG_WINDOW_S:
        return None
    at = np.array([sample.captured_at for sample in samples])
    step_s = float(np.median(np.diff(at)))
    resampled = resample_uniformly(at, stack_joints([sample.raw for sample in samples]), step_s)
    width = round(SMOOTHING_WINDOW_S / step_s) | 1  # odd, so that it is symmetric about a frame
    raw, filtered = (
        smooth_with_window(resampled, width),
        smooth_with_window(resample_uniformly(at, stack_joints([sample.filtered for sample in samples]), step_s), width),
    )
    if not len(raw) or not is_moving(resampled, raw, step_s):
        return None
    furthest = min(int(MAX_LAG_S / step_s), len(raw) // 3)
    shifts = np.arange(-min(furthest, 4), furthest + 1)
    return (
        None
        if (least := parabolic_minimum(shifted_distances(raw, filtered, shifts))) is None
        else float(shifts[0] + least) * step_s
    )


def stack_joints(joints: Sequence[np.ndarray]) -> np.ndarray:
    """Stack the joints (J, 3) of F frames to (F, 3 J) float64."""
    return np.array(joints, np.float64).reshape(len(joints), -1)


def resample_uniformly(times: np.ndarray, values: np.ndarray, step_s: float) -> np.ndarray:
    """Resample values (F, C) at times `times`, s, to a uniform grid by linear interpolation."""
    wanted = np.arange(times[0], times[-1], step_s)
    after = np.clip(np.searchsorted(times, wanted, side="right"), 1, len(times) - 1)
    share = ((wanted - times[after - 1]) / (times[after] - times[after - 1]))[:, None]
    return values[after - 1] + share * (values[after] - values[after - 1])


def smooth_with_window(values: np.ndarray, width: int) -> np.ndarray:
    """Convolve values (F, C) with a symmetric window of odd width; returns (F - width + 1, C)."""
    count = len(values) - width + 1
    return sum((share * values[k : k + count] for k, share in enumerate(hann_window(width))), np.zeros((count, values.shape[1])))


def hann_window(width: int) -> np.ndarray:
    """Hann window (width,) with sum 1."""
    shape = np.hanning(width + 2)[1:-1]
    return shape / shape.sum()


def is_moving(values: np.ndarray, smoothed: np.ndarray, step_s: float) -> bool:
    """Whether a motion `values` (F, C), and `smoothed` from it by a Hann window, is significantly above noise.

    The noise is estimated from third differences, which remove smooth motion and amplify the variance of white noise by 20.
    """
    noise = np.mean(np.diff(values, 3, axis=0) ** 2) / 20
    left = np.diff(hann_window(len(values) - len(smoothed) + 1), prepend=0.0, append=0.0)
    # / 3: the means are over coordinates, MIN_SPEED is of a point; left @ left: white noise left after smoothing and differencing
    least = max((MIN_SPEED * step_s) ** 2 / 3, MIN_NOISE_RATIO**2 * noise * float(left @ left))
    return bool(np.mean(np.diff(smoothed, axis=0) ** 2) > least)


def shifted_distances(raw: np.ndarray, filtered: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Mean squared distance of two motions (F, C) for each shift of the filtered one, frames."""
    # distances do not change when both are moved, and small numbers lose less precision when squared
    middle = raw.mean(0)
    raw, filtered = raw - middle, filtered - middle
    count, products = len(raw), filtered @ raw.T
    energy = [np.concatenate([[0.0], np.cumsum((each * each).sum(1))]) for each in (raw, filtered)]
    found = []
    for shift in shifts:
        ahead, behind = max(0, -shift), max(0, shift)
        pairs = count - ahead - behind
        both = energy[0][pairs + ahead] - energy[0][ahead] + energy[1][pairs + behind] - energy[1][behind]
        # the diagonals of `products` are the cross-correlations of all shifts
        found.append((both - 2 * np.trace(products, -shift)) / pairs)
    return np.array(found)


def parabolic_minimum(values: np.ndarray) -> float | None:
    """Sub-sample position of the minimum, by a parabola through three values; None if it is at an end."""
    k = int(np.argmin(values))
    if not 0 < k < len(values) - 1:
        return None
    before, here, after = values[k - 1 : k + 2]
    curvature = before - 2 * here + after
    return float(k + 0.5 * (before - after) / curvature) if curvature > 0 else None
