"""Writes a video of moving noise, `python -m tests.render.write_video FILE`: for a process whose memory is not zeroed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from remi_stream.render.video import VideoWriter


def main(path: Path) -> None:
    noise = np.random.default_rng(7).integers(0, 255, (160, 160, 3), np.uint8)
    with VideoWriter(path, (160, 160), 30.0) as reel:
        for number in range(50):
            reel.add(np.ascontiguousarray(np.roll(noise, 3 * number, axis=1)), number / 30)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
