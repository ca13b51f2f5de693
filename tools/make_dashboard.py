"""Write Grafana's dashboard: python tools/make_dashboard.py [FILE]"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import extras_hint  # noqa: F401  # first: a missing package is one line
from dashboard.panels import ROWS
from dashboard.shapes import board
from grafana_foundation_sdk.cog.encoder import JSONEncoder

FILE = Path(__file__).parents[1] / "configs/grafana/remi-stream.json"
ABOUT = "Frame rate, latency, dropped frames, people and machine. What to do about alerts: docs/operate/operations.md"
LINKS = {"Is it healthy?": "http://127.0.0.1:7720/healthz", "All figures": "http://127.0.0.1:7720/metrics"}

if __name__ == "__main__":
    dashboard = board("remi-stream", "remi-stream", ABOUT, ROWS, LINKS)
    file = Path(sys.argv[1]) if sys.argv[1:] else FILE
    file.write_text(json.dumps(dashboard, cls=JSONEncoder, indent=1, sort_keys=True) + "\n")
    print(file)
