"""Draws the dashboard without Grafana, from a Prometheus that has data.

    python tools/draw_dashboard.py --prometheus http://127.0.0.1:9090 --daemon 127.0.0.1:7720 --minutes 3 OUT.png

Needs matplotlib (extra `dev`).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from dashboard.answers import Asker
from dashboard.drawing import draw

FILE = Path(__file__).parents[1] / "configs/grafana/remi-stream.json"


def main() -> None:
    """Ask, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="where it answers")
    parser.add_argument("--daemon", default="127.0.0.1:7720", help="the daemon as Prometheus names it: its metrics' address")
    parser.add_argument("--minutes", type=float, default=3.0, help="how far back")
    parser.add_argument("out", type=Path, help="the picture to write")
    arguments = parser.parse_args()
    now = time.time()
    asker = Asker(arguments.prometheus, arguments.daemon, now - 60 * arguments.minutes, now)
    made = json.loads(FILE.read_text())
    arguments.out.write_bytes(draw(made["title"], made["panels"], asker))
    print(arguments.out)


if __name__ == "__main__":
    main()
