"""Write placeholders for model files that cannot be shipped: correct layout, pseudo-random weights.

    python tools/make_weights.py poco_cliff poco_cliff.pt
    python tools/make_weights.py all FOLDER

The weights are noise derived from the tensors' names (tools/parity/recipe.py): they exercise every code path at full speed but
detect no people. The body is the default body with 6890 vertices. Contains nothing licensed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

Write = Callable[[Path, int], None]


def network(name: str, calm: bool = False) -> Write:
    """Make the writer of a network's checkpoint."""

    def write(path: Path, seed: int) -> None:
        from weights.containers import write_network

        write_network(name, path, seed, calm)

    return write


def smpl(chumpy: bool) -> Write:
    """Make the writer of a body in SMPL's layout."""

    def write(path: Path, seed: int) -> None:
        from weights.figure import build_figure
        from weights.smpl_pickle import smpl_pickle

        path.write_bytes(smpl_pickle(build_figure(seed), chumpy))

    return write


def regressor(path: Path, seed: int) -> None:
    """Write J_regressor_extra.npy of that body."""
    import numpy as np
    from weights.figure import build_figure, extra_regressor

    with path.open("wb") as file:
        np.save(file, extra_regressor(build_figure(seed)))


def instanthmr(path: Path, seed: int) -> None:
    """Write an ONNX with InstantHMR's inputs and outputs."""
    from weights.instanthmr import write_instanthmr

    write_instanthmr(path, seed)


MODELS: dict[str, tuple[str, Write]] = {
    "poco_cliff": ("poco_cliff.pt", network("poco_cliff")),
    "poco_pare": ("poco_pare.pt", network("poco_pare")),
    "pare": ("pare_checkpoint.ckpt", network("pare")),
    "alphapose_halpe136": ("halpe136_fast50_regression_256x192.pth", network("alphapose_halpe136")),
    "alphapose_halpe26": ("halpe26_fast_res50_256x192.pth", network("alphapose_halpe26")),
    "alphapose_coco17": ("fast_res50_256x192.pth", network("alphapose_coco17")),
    "yolov3": ("yolov3.weights", network("yolov3")),
    "yolov3_spp": ("yolov3-spp.weights", network("yolov3_spp")),
    "videopose3d": ("pretrained_h36m_detectron_coco.bin", network("videopose3d")),
    "videopose3d_causal": ("videopose3d_causal.bin", network("videopose3d_causal")),
    **{f"smoothnet_w{window}": (f"checkpoint_{window}.pth.tar", network(f"smoothnet_{window}")) for window in (8, 16, 32, 64)},
    "instanthmr": ("instanthmr.onnx", instanthmr),
    "smpl_neutral": ("SMPL_NEUTRAL.pkl", smpl(chumpy=False)),
    "j_regressor_extra": ("J_regressor_extra.npy", regressor),
}
"""Published file name and writer of each model."""
REGRESSORS = ("poco_cliff", "poco_pare", "pare")


def main() -> None:
    """Write one file, or all into a folder, and print them."""
    import extras_hint  # noqa: F401  # a missing package is one line

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=[*MODELS, "all"], metavar="MODEL", help=f"{', '.join(MODELS)}, or all")
    parser.add_argument("out", type=Path, metavar="OUT", help="output file; for all: output folder")
    parser.add_argument("--seed", type=int, default=1234, help="seed of the weights")
    parser.add_argument("--chumpy", action="store_true", help="smpl_neutral in the format of the first releases")
    parser.add_argument("--calm", action="store_true", help="POCO or PARE that outputs a standing person for every crop")
    arguments = parser.parse_args()
    models = list(MODELS) if arguments.model == "all" else [arguments.model]
    for model in models:
        file, write = MODELS[model]
        if model == "smpl_neutral" and arguments.chumpy:
            write = smpl(chumpy=True)
        if arguments.calm and model in REGRESSORS:
            write = network(model, calm=True)
        path = arguments.out / file if arguments.model == "all" or arguments.out.is_dir() else arguments.out
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, arguments.seed)
        print(f"{model}: {path} ({path.stat().st_size / 1e6:.1f} MB)", flush=True)


if __name__ == "__main__":
    main()
