"""Keeps what parts of a network read and gave while it ran."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class Watch:
    """given, gave: what the parts of these dotted names got as their first argument and returned, in the last run."""

    def __init__(self, module: nn.Module, names: Iterable[str]) -> None:
        self.given: dict[str, Any] = {}
        self.gave: dict[str, Any] = {}
        known = dict(module.named_modules())
        for name in {name for name in names if name in known}:
            known[name].register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Any:
        def keep(_: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            self.given[name], self.gave[name] = arguments[0], output

        return keep

    def find(self, probe: str) -> Tensor | None:
        """What "a.b" gave, or what "a.b#2" had as the third of its list."""
        name, _, index = probe.partition("#")
        found = self.gave.get(name)
        found = found[int(index)] if index and found is not None else found
        return found if isinstance(found, torch.Tensor) else None
