"""Build a plan with torch-tensorrt from an exported program; the plan runs inside PyTorch."""

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
from remi_stream.inference.torch import load_checkpoint
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
    served = load_checkpoint(network, checkpoint, precision).to(device)
    program = export_program(served, max_batch)
    check_program_operators(program)
    inputs = [
        backend.module.Input(
            min_shape=(1, *tensor.shape[1:]),
            opt_shape=(1, *tensor.shape[1:]),
            max_shape=(max_batch, *tensor.shape[1:]),
            dtype=tensor.dtype,
        )
        for tensor in example_tensors(served)
    ]
    compiled = backend.module.compile(
        program, ir="dynamo", arg_inputs=inputs, use_explicit_typing=True, min_block_size=1, cache_built_engines=False
    )
    backend.module.save(compiled, str(plan), output_format="exported_program", arg_inputs=example_tensors(served))
    return program_signature(served.network)


def export_program(served: ServedNetwork, max_batch: int) -> Any:
    """Export a network with torch.export for batches up to max_batch."""
    batch = torch.export.Dim("batch", min=1, max=max(max_batch, 2))
    shapes = (tuple({0: batch} for _ in served.network.input_shapes()),)
    return torch.export.export(served, example_tensors(served), dynamic_shapes=shapes)


def example_tensors(served: ServedNetwork) -> tuple[torch.Tensor, ...]:
    """Return two rows of zero inputs on the network's device; torch.export would treat a batch of one as fixed."""
    return tuple(torch.from_numpy(values).to(served.mean.device) for values in served.network.zero_inputs(2).values())


def program_signature(network: Network) -> PlanSignature:
    """Return the inputs and outputs of the program; output shapes are not known before it runs."""
    inputs = [TensorSpec(name, (-1, *values.shape[1:]), values.dtype.name) for name, values in network.zero_inputs(1).items()]
    return PlanSignature(inputs, [TensorSpec(name, (-1,), "float32") for name in network.outputs])
