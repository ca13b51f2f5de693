"""Queries Prometheus for the series of a panel, like Grafana."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Series(NamedTuple):
    """One time series."""

    legend: str
    times: NDArray[np.float64]
    """(N,), Unix time, s."""
    values: NDArray[np.float64]
    """(N,), NaN in gaps."""
    target: str = "A"
    """Letter of its query."""


class PrometheusClient:
    """Client of a Prometheus, with values of the dashboard's variables. start, end: Unix time, s. pace_s: $__rate_interval, s."""

    def __init__(self, address: str, instance: str, start: float, end: float, step_s: float = 1.0, pace_s: int = 10) -> None:
        self.start, self.end = start, end
        self._address, self._step_s = address, step_s
        self._variables = {"$instance": instance, "$camera": ".+", "$__rate_interval": f"{pace_s}s"}

    def answers(self, panel: dict[str, Any]) -> list[Series]:
        """Query the series of all targets of a panel."""
        return [series for target in panel["targets"] for series in self._query(target)]

    def _query(self, target: dict[str, Any]) -> list[Series]:
        expression = target["expr"]
        for variable, value in self._variables.items():
            expression = expression.replace(variable, value)
        parameters = urllib.parse.urlencode({"query": expression, "start": self.start, "end": self.end, "step": self._step_s})
        with urllib.request.urlopen(f"{self._address}/api/v1/query_range?{parameters}", timeout=30) as response:
            results = json.load(response)["data"]["result"]
        answers = [self._series(each, target) for each in results]
        # an instant query shows only what exists now
        return [series for series in answers if not (target["instant"] and np.isnan(series.values[-1]))]

    def _series(self, result: dict[str, Any], target: dict[str, Any]) -> Series:
        """Convert a result to a series; gaps are NaN, so that no line is drawn across them."""
        times = np.arange(self.start, self.end + self._step_s / 2, self._step_s)
        values = np.full(len(times), np.nan)
        for at, value in result["values"]:
            values[round((float(at) - self.start) / self._step_s)] = float(value)
        labels = result["metric"]
        legend = re.sub(r"{{(\w+)}}", lambda part: labels.get(part[1], ""), target["legendFormat"])
        return Series(" ".join(legend.split()).replace(" :", ":"), times, values, target["refId"])
