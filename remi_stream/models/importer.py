"""Importer of model files: recognises a file by its content, not its name, and adds it to the model store."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.errors import RemiError, UsageError
from remi_stream.models.array_files import NPY_MAGIC, open_archive, read_npy
from remi_stream.models.manifest import ModelFile, find_model_file, list_manifests, model_files_by_name
from remi_stream.models.onnx_description import OnnxShape, read_signature
from remi_stream.models.safe_pickle import damage_errors
from remi_stream.models.store import ImportRecord, add_file, is_outside_store
from remi_stream.networks.state_dict_diff import first_few

ZIP_MAGIC = b"PK\x03\x04"
ARCHIVE_MAGICS = {b"\x1f\x8b": "tar.gz", b"Rar!": "rar", b"7z\xbc\xaf": "7z", b"BZh": "tar.bz2", b"\xfd7zXZ": "tar.xz"}
"""First bytes of archives that the user has to unpack."""
HTML_START = re.compile(rb"^\s*<(!doctype|html|\?xml|head|script)", re.IGNORECASE)
LFS_POINTER = b"version https://git-lfs"
PICKLE_START = re.compile(rb"^(\x80[\x01-\x05]|\(d|\(lp|ccopy_reg)")
GENDERED_SMPL_NAME = re.compile(r"(?<![a-z])((fe)?male|basicmodel_[mf])(?![a-z])", re.IGNORECASE)
EXTRA_REGRESSOR_SHAPE = (9, 6890)
"""Shape of J_regressor_extra: 9 joints by SMPL's 6890 vertices."""
INSTANTHMR_INPUTS: dict[str, OnnxShape] = {"image": (3, 224, 224), "cliff_cond": (3,)}
INSTANTHMR_OUTPUTS: dict[str, OnnxShape] = {
    "mhr_params": (204,),
    "shape_params": (45,),
    "cam_trans": (3,),
    "joints_2d": (70, 2),
    "joints_3d": (70, 3),
}
"""InstantHMR's output shapes without the batch."""


class RecognisedFile(NamedTuple):
    """A recognised file."""

    names: list[str]
    """Models that the file may be, the likeliest first."""
    write: Callable[[Path], object]
    """Writes the file in the store's form to a path."""


class ImportedModel(NamedTuple):
    """A model that was added to the store."""

    file: ModelFile
    record: ImportRecord
    others: list[str]
    """Other models that the file may be, by its content."""


def import_file(path: Path, name: str = "") -> ImportedModel:
    """Import a file into the store. name: its model, if given by the user. Raises UsageError or RemiError with the reason."""
    if name and is_outside_store(find_model_file(name)):
        raise UsageError(f"{name} is used from {find_model_file(name).file} directly; there is nothing to import.")
    recognised = recognise_file(path, name)
    if name and name not in recognised.names:
        raise UsageError(
            f"{path.name} is {recognised.names[0]}, not {name}. Import it without --as, or --as {recognised.names[0]}."
        )
    chosen = name or likeliest_model(recognised, path)
    others = [each for each in recognised.names if each != chosen]
    return ImportedModel(find_model_file(chosen), add_file(find_model_file(chosen), path, recognised.write), others)


def likeliest_model(recognised: RecognisedFile, path: Path) -> str:
    """Return the most likely model of a file: the one with the same file name, else the first."""
    named = [each for each in recognised.names if find_model_file(each).file == path.name]
    return next(iter(named), recognised.names[0])


def is_wheel(path: Path) -> bool:
    """Return whether a file is a wheel, by its name or content."""
    if path.suffix == ".whl":
        return True
    if not zipfile.is_zipfile(path):
        return False
    with archive_errors(path), open_archive(path) as archive:
        return any(name.endswith(".dist-info/WHEEL") for name in archive.namelist())


def recognise_file(path: Path, name: str = "") -> RecognisedFile:
    """Recognise a file by its content. name: its model, if given, which decides ambiguous cases. Raises RemiError."""
    start = read_first_bytes(path)
    # formats with a magic number first: ONNX (protobuf) has none, so its suffix decides, and Darknet's weights come last
    for mark, kind in ARCHIVE_MAGICS.items():
        if start.startswith(mark):
            raise RemiError(f"{path.name} is an archive ({kind}). Unpack it and import what is in it.")
    if HTML_START.match(start):
        raise RemiError(f"{path.name} is a web page, not a model; perhaps the download required a login. Download it again.")
    if start.startswith(LFS_POINTER):
        raise RemiError(f"{path.name} is a pointer of Git LFS, not the file. Get it with: git lfs pull")
    if start.startswith(NPY_MAGIC):
        return recognise_regressor(path)
    if start.startswith(ZIP_MAGIC):
        return recognise_archive(path, name)
    if path.suffix == ".onnx":
        return recognise_onnx(path, name)
    if PICKLE_START.match(start):
        return recognise_pickle(path, name)
    return recognise_weights(path)


def read_first_bytes(path: Path) -> bytes:
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


def copied_file(path: Path, names: list[str]) -> RecognisedFile:
    """Return a recognised file that is copied into the store unchanged."""
    return RecognisedFile(names, lambda new: shutil.copyfile(path, new))


def recognise_archive(path: Path, name: str) -> RecognisedFile:
    """Recognise a zip archive: a PyTorch checkpoint, SMPL's arrays, or one that must be unpacked first (RemiError)."""
    if not zipfile.is_zipfile(path):
        raise RemiError(f"{path.name} is truncated: its end is missing. Download it again.")
    with archive_errors(path), open_archive(path) as archive:
        members = archive.namelist()
        if members and all(member.endswith(".npy") for member in members):
            return recognise_smpl(path, name)
        if not any(name.endswith("data.pkl") for name in members):
            raise RemiError(f"{path.name} is an archive ({first_few(members)}). Unpack it and import what is in it.")
        if any("/code/" in name for name in members):
            raise RemiError(f"{path.name} is a TorchScript program, not a checkpoint; it is not run.")
        if broken := archive.testzip():
            raise RemiError(f"{path.name} is damaged: {broken} fails its checksum. Download it again.")
    return recognise_checkpoint(path)


def archive_errors(path: Path) -> AbstractContextManager[None]:
    """Turn what reading a damaged archive raises into RemiError."""
    return damage_errors(path.name, "a zip archive", advice="Download it again.")


def recognise_pickle(path: Path, name: str) -> RecognisedFile:
    """Recognise a pickle: a legacy PyTorch checkpoint, or SMPL."""
    from remi_stream.models.torch_file import LEGACY_MAGIC

    with path.open("rb") as file:
        is_checkpoint = LEGACY_MAGIC.to_bytes(10, "little") in file.read(32)
    return recognise_checkpoint(path) if is_checkpoint else recognise_smpl(path, name)


def recognise_checkpoint(path: Path) -> RecognisedFile:
    """Recognise a checkpoint of one of the networks by its state dict."""
    from remi_stream.models.checkpoint import recognise_networks

    networks = recognise_networks(path)
    names = models_of_networks(networks)
    if not names:
        raise RemiError(f"{path.name} is {networks[0]}, but no manifest has weights for it.")
    return copied_file(path, names)


def recognise_weights(path: Path) -> RecognisedFile:
    """Recognise Darknet's .weights by name or header, since they have no magic number. Raises RemiError for anything else."""
    from remi_stream.models.checkpoint import recognise_darknet

    header = np.fromfile(path, "<i4", count=3)
    if path.suffix != ".weights" and not (len(header) == 3 and header[0] == 0 and 0 <= header[1] <= 2 and header[2] == 0):
        raise RemiError(f"{path.name} is not a known model. List what can be imported: remi-stream models")
    return copied_file(path, models_of_networks(recognise_darknet(path)))


def models_of_networks(networks: list[str]) -> list[str]:
    """Return the models of the store that have one of these networks."""
    files = [file for file in model_files_by_name().values() if not is_outside_store(file)]
    return [file.name for network in networks for file in files if file.network == network]


def recognise_regressor(path: Path) -> RecognisedFile:
    """Recognise a NumPy array: J_regressor_extra.npy."""
    with damage_errors(path.name, "an array of numbers", advice="Download it again."):
        array = read_npy(path)
    if array.shape != EXTRA_REGRESSOR_SHAPE or array.dtype.kind != "f":
        got = f"{' x '.join(map(str, array.shape))} {array.dtype}"
        raise RemiError(f"{path.name} is an array of {got}; the only known one is J_regressor_extra, 9 x 6890 floats.")
    if not np.isfinite(array).all() or abs(array.sum(1) - 1).max() > 0.01:
        raise RemiError(f"{path.name} has the size of J_regressor_extra, but its rows do not sum to 1.")
    return copied_file(path, ["j_regressor_extra"])


def recognise_smpl(path: Path, name: str) -> RecognisedFile:
    """Recognise a pickle or .npz in SMPL's layout; the store keeps its arrays."""
    from remi_stream.models.smpl_pickle import SMPL_FILE, read_smpl, save_smpl

    arrays = read_smpl(path)
    if GENDERED_SMPL_NAME.search(path.name) and name != SMPL_FILE:
        raise RemiError(
            f"{path.name} seems to be the male or female SMPL; engines use the neutral one. To use it: --as {SMPL_FILE}"
        )
    return RecognisedFile([SMPL_FILE], lambda new: save_smpl(arrays, new))


def recognise_onnx(path: Path, name: str) -> RecognisedFile:
    """Recognise an ONNX network by the inputs and outputs of InstantHMR, or by the outputs in the manifest of this model."""
    ports = read_signature(path)
    named = [each.network for each in list_manifests() if each.network and name in [file.name for file in each.weights]]
    if named:
        missing = [output for output in named[0].output_names().values() if output not in ports.outputs]
        if missing:
            present = ", ".join(ports.outputs)
            raise RemiError(f"{path.name} has no output {missing[0]}, which the manifest of {name} names (it has: {present}).")
        return copied_file(path, [name])
    wrong = [
        *signature_errors(ports.inputs, INSTANTHMR_INPUTS, "input"),
        *signature_errors(ports.outputs, INSTANTHMR_OUTPUTS, "output"),
    ]
    if wrong:
        raise RemiError(
            f"{path.name} is not InstantHMR: {'; '.join(wrong)}. Other networks need a manifest (docs/extend/onnx-engines.md) "
            "and --as."
        )
    return copied_file(path, ["instanthmr"])


def signature_errors(got: dict[str, OnnxShape], expected: dict[str, OnnxShape], kind: str) -> list[str]:
    """Return the first missing input or output, or else the first with a wrong shape."""
    missing = [f"it has no {kind} {name} (it has: {', '.join(got) or 'none'})" for name in expected if name not in got]
    shapes = [
        f"{kind} {name} is {list(got[name])}, expected [N, {', '.join(map(str, shape))}]"
        for name, shape in expected.items()
        if name in got and not shape_fits(got[name], shape)
    ]
    return missing[:1] or shapes[:1]


def shape_fits(got: OnnxShape, expected: OnnxShape) -> bool:
    """Return whether a shape with a leading batch is the expected one; dynamic sizes match any."""
    return not got or (len(got) == len(expected) + 1 and all(have in (None, want) for have, want in zip(got[1:], expected)))
