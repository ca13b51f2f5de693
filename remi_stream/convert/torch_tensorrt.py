"""Build a plan with torch-tensorrt from an exported program; it runs inside PyTorch."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import torch

from remi_stream.convert.operators import check_program_operators
from remi_stream.convert.tensorrt import PlanSignature
from remi_stream.errors import RemiError
from remi_stream.inference.plan import Precision, TensorSpec
from remi_stream.inference.tensorrt import TensorRtBackend
from remi_stream.inference.torch import load_with_precision
from remi_stream.networks.network import Network
from remi_stream.networks.served import ServedNetwork

TORCH_TENSORRT = "torch_tensorrt"


def find_torch_tensorrt() -> TensorRtBackend:
    """Import torch-tensorrt as a backend. Raises RemiError with what to install."""
    if importlib.util.find_spec(TORCH_TENSORRT) is None:
        raise RemiError(
            f"torch-tensorrt is not installed. Install the release of your PyTorch: "
            f"pip install torch-tensorrt=={torch.__version__.partition('+')[0]}"
        )
    try:
        module = importlib.import_module(TORCH_TENSORRT)
    except Exception as error:  # noqa: BLE001 it raises Exception itself where TensorRT is missing
        raise RemiError(
            f"torch-tensorrt does not start: {str(error).partition(chr(10))[0]}. Its release must be that of PyTorch "
            f"({torch.__version__.partition('+')[0]}), with TensorRT from NVIDIA's index"
        ) from None
    return TensorRtBackend(TORCH_TENSORRT, module, module.__version__)


def build_torch_tensorrt_plan(
    backend: TensorRtBackend,
    network: str,
    checkpoint: Path,
    plan: Path,
    precision: Precision,
    max_batch: int,
    device: str = "cuda",
) -> PlanSignature:
    """Compile a checkpoint for this machine's GPU and save it as an ExportedProgram."""
    served = load_with_precision(precision, network, checkpoint).to(device)
    program = export_program(served, max_batch)
    check_program_operators(program)
    inputs = [
        backend.module.Input(
            min_shape=(1, *shape), opt_shape=(1, *shape), max_shape=(max_batch, *shape), dtype=tensor_dtype(name)
        )
        for name, shape in served.network.input_shapes().items()
    ]
    compiled = backend.module.compile(
        program, ir="dynamo", arg_inputs=inputs, use_explicit_typing=True, min_block_size=1, cache_built_engines=False
    )
    backend.module.save(compiled, str(plan), output_format="exported_program", arg_inputs=example_tensors(served, 2))
    return program_signature(served.network)


def export_program(served: ServedNetwork, max_batch: int) -> Any:
    """Export a network with torch.export for batches up to max_batch."""
    batch = torch.export.Dim("batch", min=1, max=max(max_batch, 2))
    shapes = (tuple({0: batch} for _ in served.network.input_shapes()),)
    return torch.export.export(served, example_tensors(served, 2), dynamic_shapes=shapes)


def example_tensors(served: ServedNetwork, batch: int) -> tuple[torch.Tensor, ...]:
    """Return zero inputs of the network's shapes on its device."""
    tensors = served.network.input_shapes().items()
    return tuple(torch.zeros((batch, *shape), dtype=tensor_dtype(name), device=served.mean.device) for name, shape in tensors)


def tensor_dtype(name: str) -> torch.dtype:
    """Return the dtype of an input: images are uint8, everything else float32."""
    return torch.uint8 if name == "image" else torch.float32


def program_signature(network: Network) -> PlanSignature:
    """Return the inputs and outputs of the program; output shapes are not known before it runs."""
    dtypes = {name: "uint8" if name == "image" else "float32" for name in network.input_shapes()}
    inputs = [TensorSpec(name, (-1, *shape), dtypes[name]) for name, shape in network.input_shapes().items()]
    return PlanSignature(inputs, [TensorSpec(name, (-1,), "float32") for name in network.outputs])
