"""Runs networks on golden inputs, with the recipe's weights.

A family of networks is one module, `family_<name>.py`, with

    NAMES = ("pare", ...)      # of the npz
    RECORDED = ("head", ...)    # submodules whose outputs it needs
    def make(name, shapes, variant) -> Module: ...
    def outputs(name, module, inputs, recorder) -> dict[str, array]: ...    # runs it; keys as in the npz after `.out.`
    def file_rows(name, module, state, manifest) -> Iterator[Row]: ...   # optional: checks of the weights file
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from parity.activations import ActivationRecorder
from parity.case import Case, cases_of, subsample, summary_statistics
from parity.recipe import make_state
from parity.rows import Entries, Row, compare, missing
from parity.tolerance import output_row, statistics_row
from remi_stream.networks.state_dict_diff import diff_state_dicts, tensor_shapes, top_level_parts

Manifest = dict[str, Any]


def check(golden: str, entries: Entries, manifest: Manifest, seed: int | None = None) -> Iterator[Row]:
    """Check one npz: state dict keys, weights, outputs and probes of each run."""
    family = find_families().get(golden)
    if family is None:
        yield missing(golden, "no family_*.py knows this network")
        return
    weights = manifest["weights"]
    used_seed = weights["seed"] if seed is None else seed
    by_variant: dict[str, list[Case]] = {}
    for case in cases_of(entries):
        by_variant.setdefault(variant_of(case.name, manifest), []).append(case)
    for name, cases in by_variant.items():
        variant = manifest["variants"][name] if name else manifest
        try:
            yield from variant_rows(golden, name, family, variant, weights, used_seed, cases, manifest)
        except Exception as error:  # noqa: BLE001 (reported as a row; the other networks still run)
            yield missing(title(golden, name), f"{type(error).__name__}: {error}")


def variant_rows(
    golden: str,
    name: str,
    family: ModuleType,
    variant: Manifest,
    weights: Manifest,
    seed: int,
    cases: list[Case],
    manifest: Manifest,
) -> Iterator[Row]:
    """Check one network with one set of weights on all its runs."""
    shapes = {key: tuple(shape) for key, shape, _ in variant["state_dict"]}
    module: nn.Module = family.make(golden, shapes, variant)
    diff = diff_state_dicts(shapes, tensor_shapes(module.state_dict()), top_level_parts(shapes))
    yield Row(f"{title(golden, name)} [{len(shapes)} keys]", diff.fault_count, 0, diff.summary() or "equal")
    state = make_state(shapes, seed, weights["gain"])
    if seed == weights["seed"]:
        yield from weight_rows(title(golden, name), state, variant.get("weight_probes", {}))
        yield from getattr(family, "file_rows", no_rows)(golden, module, state, manifest)
    module.load_state_dict({key: torch.from_numpy(np.asarray(array)) for key, array in state.items()}, strict=False)
    accuracy = manifest.get("accuracy_batch3", {})
    for case in cases:
        yield from case_rows(golden, family, module, case, accuracy.get(name, {}) if name else accuracy)


def case_rows(golden: str, family: ModuleType, module: nn.Module, case: Case, accuracy: Manifest) -> Iterator[Row]:
    """Check one run of a network."""
    recorder = ActivationRecorder(module, [*family.RECORDED, *(probe.partition("#")[0] for probe in case.probes)])
    with torch.inference_mode():
        outputs = family.outputs(golden, module, case.inputs, recorder)
    for probe, expected in case.probes.items():
        name = f"{golden}:{case.name}.probe.{probe}"
        tensor = recorder.find(probe)
        array = outputs.get(probe) if tensor is None else tensor.numpy()
        yield missing(name, "no such part") if array is None else statistics_row(name, summary_statistics(array), expected)
    for output, expected in case.outputs.items():
        yield from output_rows(f"{golden}:{case.name}.out.{output}", output, outputs.get(output), expected, accuracy)


def output_rows(name: str, output: str, got: np.ndarray | None, expected: np.ndarray, accuracy: Manifest) -> Iterator[Row]:
    """Check one output; decoded rows contain boxes in px and scores, which have different tolerances."""
    if got is None:
        yield missing(name, "not computed")
    elif output.endswith("_stats"):
        yield statistics_row(name, got, expected)
    elif output == "decoded_rows":
        worst = max((entry["suggested_atol"] for entry in accuracy.values()), default=2e-5)
        got = subsample(got, expected.shape)
        yield compare(f"{name} [boxes]", got[..., :4], expected[..., :4], 8 * worst, 1e-4)
        yield compare(f"{name} [scores]", got[..., 4:], expected[..., 4:], worst)
    else:
        yield output_row(name, output, subsample(got, expected.shape), expected, accuracy)


def weight_rows(name: str, state: dict[str, np.ndarray], probes: Manifest) -> Iterator[Row]:
    """Check that the recipe makes the golden network's weights."""
    for key, probe in probes.items():
        values = state[key].astype(np.float64).ravel()
        first = probe["first"]
        got = [*values[: len(first)], values.sum() / values.size, np.abs(values).sum() / values.size]
        expected = [*first, probe["sum"] / values.size, probe["sum_abs"] / values.size]
        yield compare(f"{name} [weights {key}]", got, expected, 1e-7)


def no_rows(*_: Any) -> Iterator[Row]:
    """Yield nothing, for families without a weights file."""
    return iter(())


def variant_of(case: str, manifest: Manifest) -> str:
    """Return the variant of a run ("w8.r16b1" of "w8.r16b1.b3"); "" without variants."""
    return max((name for name in manifest.get("variants", {}) if case.startswith(f"{name}.")), key=len, default="")


def title(golden: str, variant: str) -> str:
    """Name of the rows of a whole network."""
    return f"{golden}:{variant}" if variant else golden


@functools.cache
def find_families() -> dict[str, ModuleType]:
    """Import the family modules, by network name."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("family_*.py"))
    modules = [importlib.import_module(f"parity.{name}") for name in names]
    return {name: module for module in modules for name in module.NAMES}
