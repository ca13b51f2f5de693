"""ONNX export of a checkpoint, with the image normalisation inside the graph and a dynamic batch size."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import torch

from remi_stream.convert.operators import export_failure_reason
from remi_stream.errors import RemiError
from remi_stream.inference.plan import Precision
from remi_stream.inference.torch import load_checkpoint
from remi_stream.networks.network import find_network

OPSET = 20
"""ONNX opset: TensorRT-RTX's parser and ONNX Runtime read it (parity 2.5e-6 in batches of 1, 2 and 5, measured)."""
MAX_BATCH = 64
"""Upper bound of the dynamic batch size."""


def export_onnx(network: str, checkpoint: Path, target: Path, precision: Precision = "fp32") -> None:
    """Export a checkpoint of a network of networks/network.py as ONNX with named inputs and outputs and a dynamic batch."""
    table = find_network(network)
    module = load_checkpoint(network, checkpoint, precision)
    batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
    with warnings.catch_warnings(), quiet_loggers("torch.onnx", "onnxscript"):
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                module,
                # two rows: torch.export treats a batch of one as fixed
                tuple(torch.from_numpy(values) for values in table.zero_inputs(2).values()),
                dynamo=True,
                input_names=list(table.input_shapes()),
                output_names=list(table.outputs),
                dynamic_shapes=(tuple({0: batch} for _ in table.input_shapes()),),
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            if reason := export_failure_reason(error):
                raise RemiError(f"{network} cannot be exported: it has {reason}, for which ONNX has no operator.") from None
            raise
    assert program is not None
    program.save(str(target))
    strip_exporter_metadata(target)


def strip_exporter_metadata(path: Path) -> None:
    """Remove the exporter's metadata (source lines, paths) from a file, so that the same weights give the same bytes."""
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


class quiet_loggers:  # noqa: N801
    """Context manager that sets loggers to ERROR and restores their levels."""

    def __init__(self, *names: str) -> None:
        self._loggers = [logging.getLogger(name) for name in names]

    def __enter__(self) -> None:
        self._levels = [logger.level for logger in self._loggers]
        for logger in self._loggers:
            logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        for logger, level in zip(self._loggers, self._levels):
            logger.setLevel(level)
