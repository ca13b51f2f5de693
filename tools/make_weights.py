"""Makes stand-ins for the model files that cannot be shipped: right layout, made weights.

    python tools/make_weights.py poco_cliff poco_cliff.pt
    python tools/make_weights.py all FOLDER

The networks' weights are noise made from the tensors' names (tools/parity/recipe.py): they test every path and its speed, and
find nobody. The body is the open body with 6890 vertices. Nothing licensed goes in.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

Write = Callable[[Path, int], None]


def network(name: str, calm: bool = False) -> Write:
    """What writes the checkpoint of a network."""

    def write(path: Path, seed: int) -> None:
        from weights.containers import write_network

        write_network(name, path, seed, calm)

    return write


def smpl(chumpy: bool) -> Write:
    """What writes a body in SMPL's layout."""

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
"""Model: the name of its published file, and what writes it."""
REGRESSORS = ("poco_cliff", "poco_pare", "pare")


def main() -> None:
    """Write one file, or all of them into a folder, and say what was made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=[*MODELS, "all"], metavar="MODEL", help=f"{', '.join(MODELS)}, or all")
    parser.add_argument("out", type=Path, metavar="OUT", help="the file to write; for all, the folder")
    parser.add_argument("--seed", type=int, default=1234, help="other weights")
    parser.add_argument("--chumpy", action="store_true", help="smpl_neutral as the first releases had it")
    parser.add_argument("--calm", action="store_true", help="a POCO or PARE that sees a standing person in every crop")
    arguments = parser.parse_args()
    chosen = list(MODELS) if arguments.model == "all" else [arguments.model]
    for model in chosen:
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
