"""Scrapes the exporter over HTTP and parses the answer."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    kind: str
    text: str


def fetch(port: int, path: str) -> Answer:
    """Get a page of the exporter."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return Answer(answer.status, answer.headers["Content-Type"], answer.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers["Content-Type"], error.read().decode())


class Scrape:
    """The samples of one scrape, by name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = list(text_string_to_metric_families(text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def value(self, name: str, /, **labels: str) -> float:
        """The sum of the samples of this name that have these labels (at least)."""
        found = [s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items()]
        assert found, f"no {name} with {labels} in\n{self.text}"
        return sum(found)

    def in_flight(self, camera: str) -> float:
        """Frames that were captured and neither published nor dropped, by the counters."""
        gone = self.value("remi_frames_published_total", camera=camera)
        gone += self.value("remi_frames_dropped_total", camera=camera)
        return self.value("remi_frames_captured_total", camera=camera) - gone


def scrape(port: int) -> Scrape:
    """Get the metrics and parse them."""
    return Scrape(fetch(port, "/metrics").text)
