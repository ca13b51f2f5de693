"""Cut a small subset out of a folder of golden vectors, in the same layout, for the project's tests.

    python tools/cut_parity.py ../shared/parity tests/data/parity

Keeps one sample of each network, subsampled large outputs, and the groups of `preprocess` that read no image. Manifests keep
what check_parity.py reads and are gzipped (.json.gz).
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import extras_hint  # noqa: F401  # first: a missing package is one line
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from parity.folder import Golden, read_folder

Arrays = dict[str, np.ndarray]

THINNED = {
    "heatmap": np.s_[:, :, ::8, ::8],
    "pred_segm_mask": np.s_[:, :, ::8, ::8],
    "decoded_rows": np.s_[:, ::12],
    "raw0_sub": np.s_[:, ::16],
    "raw1_sub": np.s_[:, ::16],
    "raw2_sub": np.s_[:, ::16],
}
"""Subsampling of large outputs."""
GROUPS = ("cam", "rot", "remi", "uncert", "smooth", "posenms", "json", "sort", "relay", "relaymetrics", "metrics", "tcp")
"""Groups of preprocess that do not read the pixels of its image."""
ALSO = ("image_rgb", "poco.in.bbox_cxcywh")
"""Shared inputs of those groups; the image is stored black because only its size is read."""
# what check_parity.py reads of a manifest; the rest is large
KEPT = ("name", "weights", "accuracy_batch3", "state_dict", "variants", "weight_probes", "weights_file_check", "layers", "groups")
WHOLE_BATCH = ("probe", "decoded_stats")
"""Statistics over all samples of a batch: no sample can be cut out."""


def main() -> None:
    """Write the subset, and print its size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    options.target.mkdir(parents=True, exist_ok=True)
    for golden in read_folder(options.source):
        assert golden.manifest is not None, f"{golden.name} has no manifest"
        kept = cut_preprocess(golden) if golden.name == "preprocess" else cut_network(golden)
        write(options.target, golden.name, kept, golden.manifest)
    print(f"{sum(path.stat().st_size for path in options.target.iterdir()) / 1e6:.2f} MB in {options.target}")


def cut_preprocess(golden: Golden) -> Arrays:
    """Keep whole groups."""
    entries = golden.entries()
    kept = {name: array for name, array in entries.items() if name in ALSO or name.partition(".")[0] in GROUPS}
    return kept | {"image_rgb": np.zeros_like(entries["image_rgb"])}


def cut_network(golden: Golden) -> Arrays:
    """Keep one sample of one batch per variant, and whole clips."""
    entries = golden.entries()
    batches = smallest_batches(entries)
    kept = {}
    for name, array in entries.items():
        case, kind, rest = re.split(r"\.(in|out|probe)\.", name, maxsplit=1)
        if case.rpartition(".")[2] in ("clip", "seq"):
            kept[name] = array
        elif case in batches and not (batches[case] > 1 and (kind in WHOLE_BATCH or rest in WHOLE_BATCH)):
            kept[name] = one_sample(kind, rest, array)
    return kept


def smallest_batches(entries: Arrays) -> dict[str, int]:
    """Find the batch with the smallest samples of each variant (the first of equal ones), with its number of samples."""
    best: dict[str, tuple[int, str, int]] = {}
    for name, array in entries.items():
        if (match := re.fullmatch(r"((.+\.)?b\d+)\.in\.(img|x|keypoints)", name)) is not None:
            variant = match[2] or ""
            best[variant] = min(best.get(variant, (sys.maxsize, "", 0)), (array[0].size, match[1], len(array)))
    return {case: count for _, case, count in best.values()}


def one_sample(kind: str, rest: str, array: np.ndarray) -> np.ndarray:
    """Return the first sample of an entry, subsampled."""
    if kind == "probe" or rest == "decoded_stats":
        return array
    if rest == "decoded_shape":
        return np.array([1, *array[1:]])
    return array[:1][THINNED[rest]] if rest in THINNED else array[:1]


def write(folder: Path, name: str, entries: Arrays, manifest: dict[str, Any]) -> None:
    """Write an npz with bzip2 compression, smaller than NumPy's, and its manifest."""
    with zipfile.ZipFile(folder / f"{name}.npz", "w") as file:
        for entry, array in entries.items():
            part = io.BytesIO()
            np.save(part, array)
            file.writestr(zipfile.ZipInfo(f"{entry}.npy"), part.getvalue(), zipfile.ZIP_BZIP2, 9)  # no date: reproducible bytes
    fields = {key: value for key, value in manifest.items() if key in KEPT or name == "preprocess"}
    if name == "preprocess":
        fields["groups"] = {key: value for key, value in manifest["groups"].items() if key.partition(".")[0] in GROUPS}
    fields["npz_entries"] = {entry: f"{array.dtype}{list(array.shape)}" for entry, array in entries.items()}
    packed = gzip.compress(json.dumps(fields, separators=(",", ":")).encode(), mtime=0)
    (folder / f"{name}.json.gz").write_bytes(packed)


if __name__ == "__main__":
    main()
