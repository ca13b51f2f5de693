"""Importer of model files: recognises a file by its content, not its name, and adds it to the model store."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.models.catalogue import known_file, known_files
from remi_stream.models.difference import some
from remi_stream.models.manifest import ModelFile, list_manifests
from remi_stream.models.onnx_ports import Shape, read_ports
from remi_stream.models.record import Record
from remi_stream.models.store import admit, outside

NPY = b"\x93NUMPY"
ZIP = b"PK\x03\x04"
ARCHIVES = {b"\x1f\x8b": "tar.gz", b"Rar!": "rar", b"7z\xbc\xaf": "7z", b"BZh": "tar.bz2", b"\xfd7zXZ": "tar.xz"}
"""First bytes of archives that the user has to unpack."""
PAGE = re.compile(rb"^\s*<(!doctype|html|\?xml|head|script)", re.IGNORECASE)
POINTER = b"version https://git-lfs"
PICKLE = re.compile(rb"^(\x80[\x01-\x05]|\(d|\(lp|ccopy_reg)")
GENDERED = re.compile(r"(?<![a-z])((fe)?male|basicmodel_[mf])(?![a-z])", re.IGNORECASE)
EXTRA_SHAPE = (9, 6890)
"""Shape of J_regressor_extra: 9 joints by SMPL's 6890 vertices."""
INSTANT_INPUTS: dict[str, Shape] = {"image": (3, 224, 224), "cliff_cond": (3,)}
INSTANT_OUTPUTS: dict[str, Shape] = {
    "mhr_params": (204,),
    "shape_params": (45,),
    "cam_trans": (3,),
    "joints_2d": (70, 2),
    "joints_3d": (70, 3),
}
"""InstantHMR's output shapes without the batch."""


class Arrival(NamedTuple):
    """A recognised file."""

    names: list[str]
    """Models that the file may be, the likeliest first."""
    write: Callable[[Path], object]
    """Writes the file in the store's form to a path."""


class Taken(NamedTuple):
    """A model that was added to the store."""

    file: ModelFile
    record: Record
    others: list[str]
    """Other models that the file may be, by its content."""


def take(path: Path, name: str = "") -> Taken:
    """Import a file into the store. name: its model, if given by the user. Raises UsageError or RemiError with the reason."""
    if name and outside(known_file(name)):
        raise UsageError(f"{name} is used from {known_file(name).file}, where it lies; there is nothing to import.")
    arrival = recognise(path, name)
    if name and name not in arrival.names:
        raise UsageError(f"{path.name} is {arrival.names[0]}, not {name}. Import it without --as, or --as {arrival.names[0]}.")
    chosen = name or likeliest(arrival, path)
    others = [each for each in arrival.names if each != chosen]
    return Taken(known_file(chosen), admit(known_file(chosen), path, arrival.write), others)


def likeliest(arrival: Arrival, path: Path) -> str:
    """Return the most likely model of a file: the one with the same file name, else the first."""
    named = [each for each in arrival.names if known_file(each).file == path.name]
    return next(iter(named), arrival.names[0])


def is_wheel(path: Path) -> bool:
    """Return whether a file is a wheel, by its name or content."""
    if path.suffix == ".whl":
        return True
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith(".dist-info/WHEEL") for name in archive.namelist())


def recognise(path: Path, name: str = "") -> Arrival:
    """Recognise a file by its content. name: its model, if given, which decides ambiguous cases. Raises RemiError."""
    start = beginning(path)
    for mark, kind in ARCHIVES.items():
        if start.startswith(mark):
            raise RemiError(f"{path.name} is an archive ({kind}). Unpack it and import what is in it.")
    if PAGE.match(start):
        raise RemiError(f"{path.name} is a web page, not a model; perhaps the download required a login. Download it again.")
    if start.startswith(POINTER):
        raise RemiError(f"{path.name} is a pointer of Git LFS, not the file. Get it with: git lfs pull")
    if start.startswith(NPY):
        return regressor(path)
    if start.startswith(ZIP):
        return from_archive(path)
    if path.suffix == ".onnx":
        return onnx(path, name)
    if PICKLE.match(start):
        return from_pickle(path, name)
    return numbers(path)


def beginning(path: Path) -> bytes:
    """Return the first 512 bytes of a file. Raises RemiError if it is missing, empty or unreadable."""
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except FileNotFoundError:
        raise RemiError(f"There is no file {path}.") from None
    except OSError as error:
        raise RemiError(f"{path} cannot be read: {error.strerror}.") from None
    if not start:
        raise RemiError(f"{path.name} is empty. Download it again.")
    return start


def copied(path: Path, names: list[str]) -> Arrival:
    """Return a recognised file that is copied into the store unchanged."""
    return Arrival(names, lambda new: shutil.copyfile(path, new))


def from_archive(path: Path) -> Arrival:
    """Recognise a zip archive: a PyTorch checkpoint, or an archive that must be unpacked first (RemiError)."""
    if not zipfile.is_zipfile(path):
        raise RemiError(f"{path.name} is truncated: its end is missing. Download it again.")
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        if not any(name.endswith("data.pkl") for name in members):
            raise RemiError(f"{path.name} is an archive ({some(members)}). Unpack it and import what is in it.")
        if any("/code/" in name for name in members):
            raise RemiError(f"{path.name} is a TorchScript program, not a checkpoint; it is not run.")
        if broken := archive.testzip():
            raise RemiError(f"{path.name} is damaged: {broken} fails its checksum. Download it again.")
    return checkpoint(path)


def from_pickle(path: Path, name: str) -> Arrival:
    """Recognise a pickle: a legacy PyTorch checkpoint, or SMPL."""
    from remi_stream.models.torch_file import MAGIC

    with path.open("rb") as file:
        is_checkpoint = MAGIC.to_bytes(10, "little") in file.read(32)
    return checkpoint(path) if is_checkpoint else smpl(path, name)


def checkpoint(path: Path) -> Arrival:
    """Recognise a checkpoint of one of the networks by its state dict."""
    from remi_stream.models.checkpoint import recognise

    networks = recognise(path)
    names = models_of(networks)
    if not names:
        raise RemiError(f"{path.name} is {networks[0]}, but no manifest has weights for it.")
    return copied(path, names)


def numbers(path: Path) -> Arrival:
    """Recognise Darknet's .weights by name or header, since they have no magic number. Raises RemiError for anything else."""
    from remi_stream.models.checkpoint import recognise_darknet

    header = np.fromfile(path, "<i4", count=3)
    if path.suffix != ".weights" and not (len(header) == 3 and header[0] == 0 and 0 <= header[1] <= 2 and header[2] == 0):
        raise RemiError(f"{path.name} is not a known model. List what can be imported: remi-stream models")
    return copied(path, models_of(recognise_darknet(path)))


def models_of(networks: list[str]) -> list[str]:
    """Return the models of the store that have one of these networks."""
    files = [file for file in known_files().values() if not outside(file)]
    return [file.name for network in networks for file in files if file.network == network]


def regressor(path: Path) -> Arrival:
    """Recognise a NumPy array: J_regressor_extra.npy."""
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise RemiError(f"{path.name} is truncated or contains objects ({error}). Download it again.") from None
    if array.shape != EXTRA_SHAPE or array.dtype.kind != "f":
        got = f"{' x '.join(map(str, array.shape))} {array.dtype}"
        raise RemiError(f"{path.name} is an array of {got}; the only known one is J_regressor_extra, 9 x 6890 floats.")
    if not np.isfinite(array).all() or abs(array.sum(1) - 1).max() > 0.01:
        raise RemiError(f"{path.name} has the size of J_regressor_extra, but its rows do not sum to 1.")
    return copied(path, ["j_regressor_extra"])


def smpl(path: Path, name: str) -> Arrival:
    """Recognise a pickle in SMPL's layout; the store keeps its arrays."""
    from remi_stream.body.smpl_file import SMPL, store_smpl
    from remi_stream.models.smpl_pickle import read_smpl

    arrays = read_smpl(path)
    if GENDERED.search(path.name) and name != SMPL:
        raise RemiError(f"{path.name} seems to be the male or female SMPL; engines use the neutral one. To use it: --as {SMPL}")
    return Arrival([SMPL], lambda new: store_smpl(arrays, new))


def onnx(path: Path, name: str) -> Arrival:
    """Recognise an ONNX network by the inputs and outputs of InstantHMR, or by the outputs in the manifest of this model."""
    ports = read_ports(path)
    named = [each.network for each in list_manifests() if each.network and name in [file.name for file in each.weights]]
    if named:
        missing = [output for output in named[0].outputs().values() if output not in ports.outputs]
        if missing:
            held = ", ".join(ports.outputs)
            raise RemiError(f"{path.name} has no output {missing[0]}, which the manifest of {name} names (it has: {held}).")
        return copied(path, [name])
    wrong = [*off(ports.inputs, INSTANT_INPUTS, "input"), *off(ports.outputs, INSTANT_OUTPUTS, "output")]
    if wrong:
        raise RemiError(
            f"{path.name} is not InstantHMR: {'; '.join(wrong)}. Other networks need a manifest (docs/onnx-engines.md) and --as."
        )
    return copied(path, ["instanthmr"])


def off(got: dict[str, Shape], wanted: dict[str, Shape], kind: str) -> list[str]:
    """Return the first missing input or output, or else the first with a wrong shape."""
    missing = [f"it has no {kind} {name} (it has: {', '.join(got) or 'none'})" for name in wanted if name not in got]
    shapes = [
        f"{kind} {name} is {list(got[name])}, expected [N, {', '.join(map(str, shape))}]"
        for name, shape in wanted.items()
        if name in got and not fits(got[name], shape)
    ]
    return missing[:1] or shapes[:1]


def fits(got: Shape, wanted: Shape) -> bool:
    """Return whether a shape with a leading batch is the expected one; dynamic sizes match any."""
    return not got or (len(got) == len(wanted) + 1 and all(have in (None, want) for have, want in zip(got[1:], wanted)))
