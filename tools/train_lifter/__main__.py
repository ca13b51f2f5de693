"""Train the learned lifter, see docs/reference/lifter.md.

python tools/train_lifter generate MOTION.npz RENDERED --seed 1 --minutes 60      # as often as you have cores
python tools/train_lifter simulate MOTION.npz RENDERED SIMULATED --seed 2 --frames 100000
python tools/train_lifter features RENDERED FEATURES
python tools/train_lifter train FEATURES [FEATURES ...] --validation FEATURES --out lifter.npz --minutes 30
python tools/train_lifter golden lifter.npz tests/pose/lifting/lifter_golden.npz
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import extras_hint  # noqa: F401  # first: a missing package is one line
import numpy as np

from remi_stream.body.smpl import load_default_body


def generate_data(options: argparse.Namespace) -> None:
    """Render performances, and store what the landmark network says of them."""
    from train_lifter.generate import generate

    check(options.motion)
    seconds = options.minutes * 60
    frames = generate(options.seed, options.motion, options.out, options.validation, options.frames, seconds)
    print(f"{frames} frames in {options.out}")


def simulate_data(options: argparse.Namespace) -> None:
    """Simulate what the landmark network would say, from what it said of rendered performances."""
    from train_lifter.simulation import simulate

    check(options.motion)
    frames = simulate(options.seed, options.motion, [options.rendered], options.out, load_default_body(), options.frames)
    print(f"{frames} frames in {options.out}")


def make_features(options: argparse.Namespace) -> None:
    """Make features and targets of stored performances."""
    from train_lifter.dataset import make_dataset

    print(f"{make_dataset(options.source, options.out, load_default_body())} new frames in {options.out}")


def train_network(options: argparse.Namespace) -> None:
    """Train the network; --start goes on from other weights."""
    import torch

    from train_lifter.dataset import load_datasets
    from train_lifter.training import Recipe, train

    torch.set_num_threads(options.threads)
    recipe = Recipe(minutes=options.minutes, batch=options.batch, rate=options.rate, seed=options.seed)
    data, validation = load_datasets(options.features), load_datasets(options.validation)
    print(train(data, validation, load_default_body(), recipe, options.start, options.out).line())


def write_golden(options: argparse.Namespace) -> None:
    """Write random features and PyTorch's answers to them, for the test of the NumPy network."""
    from train_lifter.training import golden

    arrays: dict[str, Any] = golden(options.weights)
    np.savez_compressed(options.out, **arrays)


def check(motion: Path) -> None:
    """Say so if the motion is not that of the shipped weights."""
    from train_lifter.recorded import check_motion

    warning = check_motion(motion)
    if warning:
        print(warning, file=sys.stderr)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
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
    simulated = commands.add_parser("simulate", help=simulate_data.__doc__)
    simulated.add_argument("motion", type=Path, help="recorded motion, npz")
    simulated.add_argument("rendered", type=Path, help="folder of generated data")
    simulated.add_argument("out", type=Path, help="output folder")
    simulated.add_argument("--seed", type=int, default=1, help="each seed gives other data")
    simulated.add_argument("--frames", type=int, default=100_000)
    simulated.set_defaults(run=simulate_data)
    features = commands.add_parser("features", help=make_features.__doc__)
    features.add_argument("source", type=Path, help="folder of generated or simulated data")
    features.add_argument("out", type=Path, help="output folder")
    features.set_defaults(run=make_features)
    training = commands.add_parser("train", help=train_network.__doc__)
    training.add_argument("features", type=Path, nargs="+", help="folders of features; a folder named twice counts twice")
    training.add_argument("--validation", type=Path, nargs="+", required=True, help="folders of features")
    training.add_argument("--out", type=Path, required=True, help="weights, npz")
    training.add_argument("--start", type=Path, help="weights to begin with")
    training.add_argument("--minutes", type=float, default=20.0)
    training.add_argument("--batch", type=int, default=64, help="tracks of a batch")
    training.add_argument("--rate", type=float, default=1.2e-3, help="highest learning rate")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--threads", type=int, default=1)
    training.set_defaults(run=train_network)
    arrays = commands.add_parser("golden", help=write_golden.__doc__)
    arrays.add_argument("weights", type=Path)
    arrays.add_argument("out", type=Path)
    arrays.set_defaults(run=write_golden)
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    arguments.run(arguments)
