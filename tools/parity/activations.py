"""Records inputs and outputs of submodules with forward hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class ActivationRecorder:
    """Records submodules, by dotted name, in the last run."""

    def __init__(self, module: nn.Module, names: Iterable[str]) -> None:
        self.inputs: dict[str, Any] = {}
        """First argument of each submodule."""
        self.outputs: dict[str, Any] = {}
        """Output of each submodule."""
        known = dict(module.named_modules())
        # a set: a submodule may be requested by the family and by a probe
        for name in {name for name in names if name in known}:
            known[name].register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Any:
        def keep(_: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            self.inputs[name], self.outputs[name] = arguments[0], output

        return keep

    def find(self, probe: str) -> Tensor | None:
        """Return the output tensor of "a.b", or the third element of its output list for "a.b#2"."""
        name, _, index = probe.partition("#")
        output = self.outputs.get(name)
        output = output[int(index)] if index and output is not None else output
        return output if isinstance(output, torch.Tensor) else None
