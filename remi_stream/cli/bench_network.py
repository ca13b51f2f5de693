"""`bench ENGINE --peers`: a network alone, beside the same network in PyTorch eager."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from remi_stream.errors import UsageError
from remi_stream.geometry import rotation_vectors
from remi_stream.models.manifest import Manifest, list_manifests
from remi_stream.runtimes.peers import Outcome, Peer, compare

DEFAULT_THREADS = 2


def bench_network(name: str, threads: int | None, as_json: bool) -> None:
    """Time the network of an engine or a detector in its runtimes, in one run, and compare what they give."""
    from remi_stream.convert.artefact import make_artefacts

    manifest = networked(name)
    file = manifest.weights[0]
    make_artefacts([file], tell=lambda line: None if as_json else print(line))
    count = threads or DEFAULT_THREADS
    peers = [Peer("torch", {"threads": count, "device": "cpu"})]
    peers += [Peer("openvino", {"threads": count, "precision": precision}) for precision in precisions()]
    figures = [figures_of(outcome, reference) for reference, outcome in paired(compare(file, peers))]
    if as_json:
        print(json.dumps({"network": file.network, "runtimes": figures}))
    else:
        print_table(file.network, figures)


def networked(name: str) -> Manifest:
    """The manifest of a name, which must have a network that PyTorch runs too."""
    able = [manifest for manifest in list_manifests() if manifest.weights and manifest.weights[0].network]
    for manifest in able:
        if manifest.name in (name, name.rpartition("-")[0]):
            return manifest
    known = ", ".join(manifest.name for manifest in able)
    raise UsageError(f"'{name}' has no network that PyTorch runs too, so it has no peer. Those that have one: {known}")


def precisions() -> list[str]:
    """What OpenVINO is asked for here."""
    from remi_stream.runtimes.processor import multiplies_bf16

    return ["f32", "bf16"] if multiplies_bf16() else ["f32"]


def paired(outcomes: list[Outcome]) -> list[tuple[Outcome, Outcome]]:
    """Each outcome with the one it is compared with: the first."""
    return [(outcomes[0], outcome) for outcome in outcomes]


def figures_of(outcome: Outcome, reference: Outcome) -> dict[str, Any]:
    """Times, the ratio of the medians, and how far the outputs are from the reference's."""
    p50, p95 = np.percentile(outcome.times_ms, [50, 95])
    return {
        "runtime": outcome.name,
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
        "times_faster": round(float(np.median(reference.times_ms) / p50), 2),
        "error": difference(outcome, reference),
    }


def difference(outcome: Outcome, reference: Outcome) -> dict[str, float]:
    """Per output: rotations in degrees (median, largest), everything else as rms over the reference's standard deviation."""
    found: dict[str, float] = {}
    for name in reference.outputs[0]:
        ours, theirs = (np.stack([row[name] for row in each.outputs]).astype(np.float64) for each in (outcome, reference))
        if name == "rotations":
            angles = np.degrees(np.linalg.norm(rotation_vectors(ours @ theirs.swapaxes(-1, -2)), axis=-1))
            found |= {"rotations_median_deg": float(np.median(angles)), "rotations_max_deg": float(angles.max())}
        else:
            found[name] = float(np.sqrt(((ours - theirs) ** 2).mean()) / max(theirs.std(), 1e-9))
    return {name: float(f"{value:.3g}") for name, value in found.items()}


def print_table(network: str, figures: list[dict[str, Any]]) -> None:
    """Print it for people: the times, then how far each runtime is from the first."""
    table = Table("runtime", "p50 ms", "p95 ms", "times faster", box=None, title=network, header_style="bold")
    for row in figures:
        table.add_row(row["runtime"], f"{row['p50_ms']:.1f}", f"{row['p95_ms']:.1f}", f"{row['times_faster']:.2f}")
    console = Console()
    console.print(table)
    for row in figures[1:]:
        differs = ", ".join(f"{name} {value:g}" for name, value in row["error"].items())
        console.print(f"{row['runtime']} differs by: {differs}", soft_wrap=True, highlight=False)
