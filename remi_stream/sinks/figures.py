"""The values of the metrics, and how they are written in Prometheus' text format.

Own, since a scrape must cost little beside the work: the text of a line is made once, when its labels are first used.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from remi_stream.metrics import METRICS, Metric

ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Value:
    """One counter or gauge."""

    def __init__(self, metric: Metric, labels: dict[str, str]) -> None:
        self.value = 0.0
        self._line = f"{metric.name}{_braces(labels)} "

    def text(self) -> str:
        """Its line."""
        return f"{self._line}{self.value!r}\n"


class Histogram:
    """How many observations were at most how long."""

    def __init__(self, metric: Metric, labels: dict[str, str]) -> None:
        self._bounds = metric.buckets
        self._counts = [0] * (len(metric.buckets) + 1)
        self._sum_s = 0.0
        bounds = [*map(repr, metric.buckets), "+Inf"]
        self._buckets = [f"{metric.name}_bucket{_braces({**labels, 'le': bound})} " for bound in bounds]
        self._lines = f"{metric.name}_count{_braces(labels)} ", f"{metric.name}_sum{_braces(labels)} "

    def observe(self, seconds: float) -> None:
        """Count an observation."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum_s += seconds

    def text(self) -> str:
        """Its lines: each bucket holds those below it."""
        totals = list(accumulate(self._counts))
        buckets = "".join([f"{line}{total}.0\n" for line, total in zip(self._buckets, totals)])
        count, total_s = self._lines
        return f"{buckets}{count}{totals[-1]}.0\n{total_s}{self._sum_s!r}\n"


class Figures:
    """Everything that this process tells Prometheus. A metric with other labels is another line."""

    def __init__(self) -> None:
        histograms = [metric.name for metric in METRICS.values() if metric.kind == "histogram"]
        self._histograms: dict[str, dict[tuple[str, ...], Histogram]] = {name: {} for name in histograms}
        self._values: dict[str, dict[tuple[str, ...], Value]] = {name: {} for name in METRICS if name not in histograms}

    def add(self, name: str, amount: float, /, **labels: str) -> None:
        """Let a counter grow."""
        self._value(name, labels).value += amount

    def set(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        self._value(name, labels).value = float(value)

    def observe(self, name: str, seconds: float, /, **labels: str) -> None:
        """Add to a histogram."""
        made, key = self._histograms[name], _key(name, labels)
        if key not in made:
            made[key] = Histogram(METRICS[name], labels)
        made[key].observe(seconds)

    def forget(self, name: str, /, **labels: str) -> None:
        """Tell no more of the gauges that have these labels."""
        places = {METRICS[name].labels.index(label): value for label, value in labels.items()}
        made = self._values[name]
        for key in [key for key in made if all(key[place] == value for place, value in places.items())]:
            del made[key]

    def text(self) -> bytes:
        """Everything that there is, in Prometheus' text format."""
        return "".join([self._family(metric) for metric in METRICS.values()]).encode()

    def _family(self, metric: Metric) -> str:
        made = self._histograms.get(metric.name) or self._values.get(metric.name) or {}
        head = f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"
        return head + "".join([each.text() for each in made.values()]) if made else ""

    def _value(self, name: str, labels: dict[str, str]) -> Value:
        made, key = self._values[name], _key(name, labels)
        if key not in made:
            made[key] = Value(METRICS[name], labels)
        return made[key]


def _key(name: str, labels: dict[str, str]) -> tuple[str, ...]:
    return tuple([labels[label] for label in METRICS[name].labels])


def _braces(labels: dict[str, str]) -> str:
    pairs = ",".join(f'{label}="{value.translate(ESCAPES)}"' for label, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""
