"""Registry of Prometheus metric values (counters, gauges, histograms), rendered in the text exposition format.

Not prometheus_client, because a scrape must be cheap: the text of a line is formatted once, when its labels are first used.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from remi_stream.metrics import METRICS, Metric

LABEL_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
"""Characters that the text format requires to be escaped in label values."""


class MetricValue:
    """One series of a counter or gauge."""

    def __init__(self, metric: Metric, labels: dict[str, str]) -> None:
        self.value = 0.0
        self._line = f"{metric.name}{_format_labels(labels)} "

    def render_text(self) -> str:
        """Render its line."""
        return f"{self._line}{self.value!r}\n"


class Histogram:
    """One histogram series: counts of durations by upper bound (`le`), s."""

    def __init__(self, metric: Metric, labels: dict[str, str]) -> None:
        self._bounds = metric.buckets
        self._counts = [0] * (len(metric.buckets) + 1)
        self._sum_s = 0.0
        bounds = [*map(repr, metric.buckets), "+Inf"]
        self._buckets = [f"{metric.name}_bucket{_format_labels({**labels, 'le': bound})} " for bound in bounds]
        self._lines = f"{metric.name}_count{_format_labels(labels)} ", f"{metric.name}_sum{_format_labels(labels)} "

    def observe(self, seconds: float) -> None:
        """Count an observation in its bucket."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum_s += seconds

    def render_text(self) -> str:
        """Render its lines; buckets are cumulative."""
        totals = list(accumulate(self._counts))
        buckets = "".join([f"{line}{total}.0\n" for line, total in zip(self._buckets, totals)])
        count, total_s = self._lines
        return f"{buckets}{count}{totals[-1]}.0\n{total_s}{self._sum_s!r}\n"


class MetricRegistry:
    """All series that this process exports, by metric name and label values."""

    def __init__(self) -> None:
        histograms = [metric.name for metric in METRICS.values() if metric.kind == "histogram"]
        self._histograms: dict[str, dict[tuple[str, ...], Histogram]] = {name: {} for name in histograms}
        self._values: dict[str, dict[tuple[str, ...], MetricValue]] = {name: {} for name in METRICS if name not in histograms}

    def increment(self, name: str, amount: float, /, **labels: str) -> None:
        """Increment a counter."""
        self._value(name, labels).value += amount

    def set(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        self._value(name, labels).value = float(value)

    def observe(self, name: str, seconds: float, /, **labels: str) -> None:
        """Observe a duration in a histogram."""
        series, key = self._histograms[name], _label_values(name, labels)
        if key not in series:
            series[key] = Histogram(METRICS[name], labels)
        series[key].observe(seconds)

    def remove(self, name: str, /, **labels: str) -> None:
        """Remove all series of a metric that have these labels."""
        wanted = {METRICS[name].labels.index(label): value for label, value in labels.items()}
        series = self._values[name]
        for key in [key for key in series if all(key[index] == value for index, value in wanted.items())]:
            del series[key]

    def render_text(self) -> bytes:
        """Render all series in Prometheus' text format."""
        return "".join([self._family(metric) for metric in METRICS.values()]).encode()

    def _family(self, metric: Metric) -> str:
        series = self._histograms.get(metric.name) or self._values.get(metric.name) or {}
        head = f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"
        return head + "".join([each.render_text() for each in series.values()]) if series else ""

    def _value(self, name: str, labels: dict[str, str]) -> MetricValue:
        series, key = self._values[name], _label_values(name, labels)
        if key not in series:
            series[key] = MetricValue(METRICS[name], labels)
        return series[key]


def _label_values(name: str, labels: dict[str, str]) -> tuple[str, ...]:
    return tuple([labels[label] for label in METRICS[name].labels])


def _format_labels(labels: dict[str, str]) -> str:
    pairs = ",".join(f'{label}="{value.translate(LABEL_ESCAPES)}"' for label, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""
