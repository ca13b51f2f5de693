"""A real Prometheus with the configuration and the rules that we ship, but quicker."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from remi_stream.paths import shipped_folder

CONFIG = shipped_folder("configs") / "prometheus/prometheus.yml"
RULES = CONFIG.parent / "remi-stream.rules.yml"


class Prometheus:
    """A server that scrapes one daemon twice a second."""

    def __init__(self, number: int) -> None:
        self.address = f"http://127.0.0.1:{number}"

    def ready(self) -> bool:
        """Whether it answers."""
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"{self.address}/-/ready", timeout=1).status == 200)
        return False

    def query(self, expression: str) -> list[float]:
        """The values of an expression; none where a metric does not exist."""
        return [float(series["value"][1]) for series in self.ask("query", query=expression)["result"]]

    def ask(self, page: str, **question: str) -> Any:
        """What its API answers; a question that it does not understand is an HTTPError."""
        address = f"{self.address}/api/v1/{page}?{urllib.parse.urlencode(question)}"
        with urllib.request.urlopen(address, timeout=5) as answer:
            return json.load(answer)["data"]


def wait_for(condition: Callable[[], Any], timeout_s: float = 20.0) -> None:
    """Ask four times a second until the condition holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.25)


@contextlib.contextmanager
def prometheus(folder: Path, target: int) -> Iterator[Prometheus]:
    """Run one beside the daemon whose metrics are on this port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        number = probe.getsockname()[1]
    config = yaml.safe_load(CONFIG.read_text())
    config["global"] = dict.fromkeys(config["global"], "500ms")
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{target}"]}]
    (folder / "p.yml").write_text(yaml.safe_dump(config))
    shutil.copy(RULES, folder)
    command = ["prometheus", f"--config.file={folder}/p.yml", f"--storage.tsdb.path={folder}/tsdb"]
    with open(folder / "prometheus.log", "w") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{number}"], stderr=log)
    server = Prometheus(number)
    try:
        wait_for(server.ready)
        yield server
    finally:
        process.terminate()
        process.wait(10)
