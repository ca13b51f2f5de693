"""Registry of metric values, a collector of prometheus_client, which renders them; the only module that imports it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric as MetricFamily
from prometheus_client.core import Sample
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from remi_stream.metrics import METRICS, Metric

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Content type of the text that the registry renders."""

LabelValues = tuple[str, ...]
"""Values of a series' labels, in the order of the table."""


class ValueSeries:
    """One series of a counter or gauge."""

    def __init__(self, metric: Metric, labels: dict[str, str]) -> None:
        self._name, self._labels = metric.name, labels
        self.value = 0.0

    def samples(self) -> Iterator[Sample]:
        """Yield its sample."""
        yield Sample(self._name, self._labels, self.value)


class HistogramSeries:
    """One series of a histogram: counts of durations by upper bound (`le`), s."""

    def __init__(self, metric: Metric, labels: dict[str, str]) -> None:
        self._name, self._labels, self._bounds = metric.name, labels, metric.buckets
        self._bucket_labels = [{**labels, "le": bound} for bound in (*map(str, metric.buckets), "+Inf")]
        self._counts = [0] * len(self._bucket_labels)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count an observation in its bucket."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum_s += seconds

    def samples(self) -> Iterator[Sample]:
        """Yield its samples; buckets are cumulative."""
        totals = list(accumulate(self._counts))
        bucket = f"{self._name}_bucket"
        yield from [Sample(bucket, labels, total) for labels, total in zip(self._bucket_labels, totals)]
        yield Sample(f"{self._name}_count", self._labels, totals[-1])
        yield Sample(f"{self._name}_sum", self._labels, self._sum_s)


class MetricRegistry(Collector):
    """All series that this process exports, by metric name and label values. A metric without series is not exported."""

    # A custom collector, not the library's Counter, Gauge and Histogram: with their locks and child objects a scrape of 16
    # cameras takes more than twice as long (17 ms; the limit is 10), and counting a frame three times as long.

    def __init__(self) -> None:
        histograms = [metric.name for metric in METRICS.values() if metric.kind == "histogram"]
        self._histograms: dict[str, dict[LabelValues, HistogramSeries]] = {name: {} for name in histograms}
        self._values: dict[str, dict[LabelValues, ValueSeries]] = {name: {} for name in METRICS if name not in histograms}
        self._registry = CollectorRegistry()
        self._registry.register(self)

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
            series[key] = HistogramSeries(METRICS[name], labels)
        series[key].observe(seconds)

    def remove(self, name: str, /, **labels: str) -> None:
        """Remove all series of a metric that have these labels."""
        wanted = {METRICS[name].labels.index(label): value for label, value in labels.items()}
        series = self._values[name]
        for key in [key for key in series if all(key[index] == value for index, value in wanted.items())]:
            del series[key]

    def collect(self) -> Iterator[MetricFamily]:
        """Yield a family for each metric that has series, in the order of the table; prometheus_client calls it."""
        for metric in METRICS.values():
            series = self._histograms.get(metric.name) or self._values.get(metric.name)
            if series:
                # The library appends a counter's "_total" itself.
                family = MetricFamily(metric.name.removesuffix("_total"), metric.help, metric.kind)
                family.samples = [sample for each in series.values() for sample in each.samples()]
                yield family

    def render_text(self) -> bytes:
        """Render all series in Prometheus' text format."""
        return generate_latest(self._registry)

    def _value(self, name: str, labels: dict[str, str]) -> ValueSeries:
        series, key = self._values[name], _label_values(name, labels)
        if key not in series:
            series[key] = ValueSeries(METRICS[name], labels)
        return series[key]


def _label_values(name: str, labels: dict[str, str]) -> LabelValues:
    return tuple([labels[label] for label in METRICS[name].labels])
