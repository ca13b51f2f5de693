"""Render the dashboard without Grafana, from a Prometheus with data.

    python tools/draw_dashboard.py --prometheus http://127.0.0.1:9090 --daemon 127.0.0.1:7720 --minutes 3 OUT.png

Needs matplotlib (extra `dev`).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import extras_hint  # noqa: F401  # first: a missing package is one line
from dashboard.answers import PrometheusClient
from dashboard.drawing import draw

FILE = Path(__file__).parents[1] / "configs/grafana/remi-stream.json"


def main() -> None:
    """Query, render and write the dashboard."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="its URL")
    parser.add_argument("--daemon", default="127.0.0.1:7720", help="instance label of the daemon: the address of its metrics")
    parser.add_argument("--minutes", type=float, default=3.0, help="length of the time range")
    parser.add_argument("out", type=Path, help="PNG file to write")
    arguments = parser.parse_args()
    now = time.time()
    client = PrometheusClient(arguments.prometheus, arguments.daemon, now - 60 * arguments.minutes, now)
    dashboard = json.loads(FILE.read_text())
    arguments.out.write_bytes(draw(dashboard["title"], dashboard["panels"], client))
    print(arguments.out)


if __name__ == "__main__":
    main()
