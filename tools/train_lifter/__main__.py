"""Train the learned lifter, see docs/lifter.md.

python tools/train_lifter generate MOTION.npz OUT --seed 7 --minutes 60
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import extras_hint  # noqa: F401  # first: a missing package is one line


def generate_data(options: argparse.Namespace) -> None:
    """Generate training data."""
    from train_lifter.generate import generate
    from train_lifter.recorded import check_motion

    warning = check_motion(options.motion)
    if warning:
        print(warning, file=sys.stderr)
    frames = generate(options.seed, options.motion, options.out, options.validation, options.frames, options.minutes * 60)
    print(f"{frames} frames in {options.out}")


def main() -> None:
    """Run a subcommand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    data = commands.add_parser("generate", help=generate_data.__doc__)
    data.add_argument("motion", type=Path, help="recorded motion, npz")
    data.add_argument("out", type=Path, help="output folder")
    data.add_argument("--seed", type=int, default=1, help="each seed gives other data")
    data.add_argument("--validation", action="store_true", help="of the recordings that are held back")
    data.add_argument("--frames", type=int, default=1_000_000_000, help="stop after this many")
    data.add_argument("--minutes", type=float, default=60.0, help="stop after this time")
    data.set_defaults(run=generate_data)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
