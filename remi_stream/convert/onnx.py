"""From a checkpoint to ONNX: the same network, its normalisation inside the graph, any batch size."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import torch

from remi_stream.models.checkpoint import read_checkpoint
from remi_stream.networks.network import Network, find_network
from remi_stream.networks.served import load

OPSET = 20


def export(network: str, checkpoint: Path, target: Path) -> None:
    """Write a checkpoint of a network of networks/network.py as ONNX: named inputs and outputs, the batch is free."""
    served = find_network(network)
    module = load(network, read_checkpoint(checkpoint, network))
    batch = torch.export.Dim("batch", min=1, max=64)
    with warnings.catch_warnings(), quiet("torch.onnx", "onnxscript"):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            tuple(examples(served, 2)),
            dynamo=True,
            input_names=list(served.tensors()),
            output_names=list(served.outputs),
            dynamic_shapes=(tuple({0: batch} for _ in served.tensors()),),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    program.save(str(target))
    forget_where_it_was_made(target)


def examples(network: Network, batch: int) -> list[torch.Tensor]:
    """Inputs of the right shapes."""
    made = []
    for name, shape in network.tensors().items():
        kind = torch.uint8 if name == "image" else torch.float32
        made.append(torch.zeros((batch, *shape), dtype=kind))
    return made


def forget_where_it_was_made(path: Path) -> None:
    """Take the exporter's remarks (source lines, paths) out of a file, so that the same weights give the same bytes."""
    import onnx

    model = onnx.load(path)
    del model.metadata_props[:]
    for part in (model.graph, *model.functions):
        del part.metadata_props[:]
        for node in part.node:
            del node.metadata_props[:]
            node.doc_string = ""
        for value in (*getattr(part, "input", []), *getattr(part, "output", []), *part.value_info):
            if not isinstance(value, str):
                del value.metadata_props[:]
    onnx.save(model, path)


class quiet:  # noqa: N801
    """Keep loggers silent below errors for a while."""

    def __init__(self, *names: str) -> None:
        self._loggers = [logging.getLogger(name) for name in names]

    def __enter__(self) -> None:
        self._levels = [logger.level for logger in self._loggers]
        for logger in self._loggers:
            logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        for logger, level in zip(self._loggers, self._levels):
            logger.setLevel(level)
