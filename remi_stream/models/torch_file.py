"""Files of torch.save, read without running code from them.

`torch.load(weights_only=True)` reads most of them. It refuses files with configuration objects or a random state, as training
frameworks write them; of such a file the tensors are read here, and other objects become inert (models/safe_pickle.py).
The two layouts (a zip archive; before PyTorch 1.6 a sequence of pickles, then the numbers) are those of torch/serialization.py.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from remi_stream.models.safe_pickle import PICKLE_ERRORS, Constructor, SafeUnpickler, inert_class, pickle_errors

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""First pickle of the legacy layout (torch/serialization.py)."""
STORAGE_DTYPES = (
    "Float:float32 Double:float64 Half:float16 BFloat16:bfloat16 Long:int64 Int:int32 Short:int16 Char:int8 Byte:uint8 Bool:bool"
)
"""Storage class -> dtype of its numbers."""


def read_torch_file(path: Path) -> Any:
    """Read the object that torch.save wrote, on the CPU. Raises RemiError if the file is truncated or would run code."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about protocols and old storages; errors are raised
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        except (*PICKLE_ERRORS, OSError):  # OSError: it looks for an archive's end before the file's beginning
            return read_with_safe_unpickler(path)


def read_with_safe_unpickler(path: Path) -> Any:
    """Read a file that contains more than tensors, with the safe unpickler. Raises RemiError."""
    with pickle_errors(path.name, "a checkpoint", advice="Download it again."):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return read_zip_layout(archive)
        with path.open("rb") as file:
            return read_legacy_layout(file)


def read_zip_layout(archive: zipfile.ZipFile) -> Any:
    """Read the zip layout: data.pkl, and one member for the numbers of each storage."""
    import torch

    index = next((name for name in archive.namelist() if name.endswith("data.pkl")), "")
    if not index:
        raise pickle.UnpicklingError("the archive has no data.pkl")
    root = index.removesuffix("data.pkl")
    storages: dict[str, torch.Tensor] = {}

    def storage(reference: Any) -> torch.Tensor:
        _, kind, key, _, numbers = reference[:5]
        if key not in storages:
            content = bytearray(archive.read(f"{root}data/{key}"))
            storages[key] = torch.frombuffer(content, dtype=kind.dtype) if numbers else torch.empty(0, dtype=kind.dtype)
        return storages[key]

    with archive.open(index) as file:
        return unpickle_tensors(file, storage)


def read_legacy_layout(file: IO[bytes]) -> Any:
    """Read the legacy layout: magic number, version, system, content, storage keys; then each storage's count and numbers."""
    import torch

    if unpickle_tensors(file) != LEGACY_MAGIC:
        raise pickle.UnpicklingError("it does not begin with the magic number")
    storages: dict[str, torch.Tensor] = {}

    def storage(reference: Any) -> torch.Tensor:
        _, kind, key, _, numbers = reference[:5]
        whole = storages.setdefault(key, torch.empty(numbers, dtype=kind.dtype))
        view = reference[5] if len(reference) > 5 else None
        return whole[view[1] : view[1] + view[2]] if view else whole

    _, _, content, keys = unpickle_tensors(file), unpickle_tensors(file), unpickle_tensors(file, storage), unpickle_tensors(file)
    for key in keys:
        whole = storages[key]
        count = int.from_bytes(file.read(8), "little")
        numbers = file.read(count * whole.element_size())
        if count != len(whole) or len(numbers) != count * whole.element_size():
            raise EOFError("its tensor data ends too early")
        if count:
            whole.copy_(torch.frombuffer(bytearray(numbers), dtype=whole.dtype))
    return content


def unpickle_tensors(file: IO[bytes], storage: Callable[[Any], Any] | None = None) -> Any:
    """Read one pickle that may contain tensors."""
    return SafeUnpickler(file, allowed_tensor_names(), storage).load()


def allowed_tensor_names() -> dict[str, Any]:
    """Return the callables that a pickle may use to build tensors, by full name."""
    import torch

    def tensor(storage: torch.Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_rest: Any) -> torch.Tensor:
        return storage.as_strided(size, stride, offset)

    def parameter(data: torch.Tensor, *_rest: Any) -> torch.Tensor:
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
