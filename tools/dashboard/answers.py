"""What Prometheus answers to a panel, asked as Grafana would."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Series(NamedTuple):
    """One answer. times: (N,) s since 1970. values: (N,), NaN where there is none. target: its query's letter."""

    legend: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    target: str = "A"


class Asker:
    """A Prometheus, and what the dashboard's variables stand for. start, end: s since 1970. pace_s: of the rates."""

    def __init__(self, address: str, instance: str, start: float, end: float, step_s: float = 1.0, pace_s: int = 10) -> None:
        self.start, self.end = start, end
        self._address, self._step_s = address, step_s
        self._variables = {"$instance": instance, "$camera": ".+", "$__rate_interval": f"{pace_s}s"}

    def answers(self, panel: dict[str, Any]) -> list[Series]:
        """The series of all queries of a panel."""
        return [series for target in panel["targets"] for series in self._ask(target)]

    def _ask(self, target: dict[str, Any]) -> list[Series]:
        expression = target["expr"]
        for variable, value in self._variables.items():
            expression = expression.replace(variable, value)
        question = urllib.parse.urlencode({"query": expression, "start": self.start, "end": self.end, "step": self._step_s})
        with urllib.request.urlopen(f"{self._address}/api/v1/query_range?{question}", timeout=30) as answer:
            found = json.load(answer)["data"]["result"]
        made = [self._series(each, target) for each in found]
        return [series for series in made if not (target["instant"] and np.isnan(series.values[-1]))]

    def _series(self, found: dict[str, Any], target: dict[str, Any]) -> Series:
        """Gaps are filled with NaN, so that no line is drawn over them."""
        times = np.arange(self.start, self.end + self._step_s / 2, self._step_s)
        values = np.full(len(times), np.nan)
        for at, value in found["values"]:
            values[round((float(at) - self.start) / self._step_s)] = float(value)
        labels = found["metric"]
        legend = re.sub(r"{{(\w+)}}", lambda part: labels.get(part[1], ""), target["legendFormat"])
        return Series(" ".join(legend.split()).replace(" :", ":"), times, values, target["refId"])
