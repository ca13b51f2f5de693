"""Files of torch.save, read without running code from them and without PyTorch's own reader.

Configuration objects and random states, as training frameworks write them, become inert (models/pickled_objects.py). The two
layouts (a zip archive; before PyTorch 1.6 a sequence of pickles, then the numbers) are those of torch/serialization.py.
"""

from __future__ import annotations

import mmap
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from remi_stream.models.array_files import archive_memory, open_archive, open_member
from remi_stream.models.pickled_objects import Constructor, inert_class
from remi_stream.models.safe_pickle import MemoryBudget, damage_errors, read_pickle

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""First pickle of the legacy layout (torch/serialization.py)."""
STORAGE_DTYPES = (
    "Float:float32 Double:float64 Half:float16 BFloat16:bfloat16 Long:int64 Int:int32 Short:int16 Char:int8 Byte:uint8 Bool:bool"
)
"""Storage class -> dtype of its numbers."""
LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Before each file of a zip archive (APPNOTE.TXT 4.3.7): signature, then the lengths of its name and its extra field."""
MAX_TENSORS, MAX_EXPANDED = 100_000, 1 << 26
"""Tensors in a file; numbers of a tensor that repeats those that it has."""


def read_torch_file(path: Path) -> Any:
    """Read the object that torch.save wrote, on the CPU. Raises RemiError if the file is truncated or would run code."""
    with damage_errors(path.name, "a checkpoint", advice="Download it again."):
        if zipfile.is_zipfile(path):
            with open_archive(path) as archive, path.open("rb") as file:
                return read_zip_layout(archive, file)
        with path.open("rb") as file:
            return read_legacy_layout(file, path.stat().st_size)


def read_zip_layout(archive: zipfile.ZipFile, file: IO[bytes]) -> Any:
    """Read the zip layout: data.pkl, and one member for the numbers of each storage. file: the archive itself, to be mapped."""
    import torch

    index = next((member for member in archive.infolist() if member.filename.endswith("data.pkl")), None)
    if index is None:
        raise pickle.UnpicklingError("the archive has no data.pkl")
    root = index.filename.removesuffix("data.pkl")
    storages: dict[str, torch.Tensor] = {}
    # a private copy of each page that is written: the numbers of a file of hundreds of MB are read when they are needed
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)

    def storage(reference: Any) -> torch.Tensor:
        _, kind, key, _, count = reference[:5]
        if key not in storages:
            member = archive.getinfo(f"{root}data/{key}")
            dtype = storage_dtype(kind)
            if type(count) is not int or member.file_size != count * dtype.itemsize:
                raise EOFError("its tensor data ends too early")
            if not count:
                storages[key] = torch.empty(0, dtype=dtype)
            elif member.compress_type == zipfile.ZIP_STORED:
                storages[key] = torch.frombuffer(mapped, dtype=dtype, count=count, offset=member_offset(mapped, member))
            else:
                storages[key] = torch.frombuffer(bytearray(archive.read(member)), dtype=dtype)
        return storages[key]

    with open_member(archive, index.filename) as content:
        memory = archive_memory(index.file_size, os.fstat(file.fileno()).st_size)
        return read_tensors(content, index.file_size, memory, storage)


def member_offset(mapped: mmap.mmap, member: zipfile.ZipInfo) -> int:
    """Return where the bytes of a stored file begin in its archive. Raises BadZipFile."""
    start = member.header_offset
    if not 0 <= start <= len(mapped) - LOCAL_HEADER.size:
        raise zipfile.BadZipFile("its tensor data ends too early")
    signature, name_bytes, extra_bytes = LOCAL_HEADER.unpack_from(mapped, start)
    offset = int(start + LOCAL_HEADER.size + name_bytes + extra_bytes)
    if signature != b"PK\x03\x04" or offset + member.file_size > len(mapped):
        raise zipfile.BadZipFile("its tensor data ends too early")
    return offset


def read_legacy_layout(file: IO[bytes], size: int) -> Any:
    """Read the legacy layout: magic number, version, system, content, storage keys; then each storage's count and numbers."""
    import torch

    memory = MemoryBudget(size)

    def read(load_storage: Callable[[Any], Any] | None = None) -> Any:
        return read_tensors(file, size - file.seek(0, os.SEEK_CUR), memory, load_storage)

    if read() != LEGACY_MAGIC:
        raise pickle.UnpicklingError("it does not begin with the magic number")
    storages: dict[str, torch.Tensor] = {}
    left = size

    def storage(reference: Any) -> torch.Tensor:
        nonlocal left
        _, kind, key, _, count = reference[:5]
        if key not in storages:
            dtype = storage_dtype(kind)
            if type(count) is not int or not 0 <= count * dtype.itemsize <= left:
                raise EOFError("its tensor data ends too early")
            left -= count * dtype.itemsize
            storages[key] = torch.empty(count, dtype=dtype)
        whole = storages[key]
        view = reference[5] if len(reference) > 5 else None
        return whole[view[1] : view[1] + view[2]] if view else whole

    _, _, content, keys = read(), read(), read(storage), read()
    for key in keys:
        whole = storages[key]
        count = int.from_bytes(file.read(8), "little")
        numbers = file.read(whole.numel() * whole.element_size())
        if count != len(whole) or len(numbers) != count * whole.element_size():
            raise EOFError("its tensor data ends too early")
        if count:
            whole.copy_(torch.frombuffer(bytearray(numbers), dtype=whole.dtype))
    return content


def storage_dtype(kind: Any) -> Any:
    """Return the dtype of a storage's class. Raises ValueError for anything else."""
    dtype = getattr(kind, "dtype", None)
    if dtype is None:
        raise ValueError("tensor data of no known type")
    return dtype


def read_tensors(file: IO[bytes], size: int, memory: MemoryBudget, storage: Callable[[Any], Any] | None = None) -> Any:
    """Read one pickle that may contain tensors. size: bytes that the file has from its position."""
    return read_pickle(file, size, allowed_tensor_names(), storage, memory=memory)


def allowed_tensor_names() -> dict[str, Any]:
    """Return the callables that a pickle may use to build tensors, by full name."""
    import torch

    made = 0

    def tensor(storage: Any, offset: Any, size: Any, stride: Any, *_rest: Any) -> torch.Tensor:
        nonlocal made
        made += 1
        if not isinstance(storage, torch.Tensor) or made > MAX_TENSORS:
            raise ValueError("a tensor without its numbers" if made <= MAX_TENSORS else f"more than {MAX_TENSORS} tensors")
        whole = storage.as_strided(tuple(size), tuple(stride), offset)
        if whole.numel() > max(storage.numel(), MAX_EXPANDED):  # strides of 0: a few numbers that count as many
            raise ValueError("a tensor of more numbers than the file has")
        return whole

    def parameter(data: Any = None, *_rest: Any) -> Any:
        return data

    kinds = [pair.split(":") for pair in STORAGE_DTYPES.split()]
    storages = {f"torch.{name}Storage": type(name, (), {"dtype": getattr(torch, dtype)}) for name, dtype in kinds}
    numbers = {f"torch.{dtype}": inert_class(dtype) for _, dtype in kinds}
    rebuild: dict[str, Callable[..., Any]] = {
        "_rebuild_tensor": tensor,
        "_rebuild_tensor_v2": tensor,
        "_rebuild_parameter": parameter,
    }
    calls = {f"torch._utils.{name}": Constructor(function) for name, function in rebuild.items()}
    return {
        **storages,
        **numbers,
        **calls,
        "torch.Size": Constructor(lambda sizes=(): tuple(sizes)),
        "torch.device": inert_class("torch.device"),
    }
