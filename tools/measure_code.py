#!/usr/bin/env python3
"""Measure how easy the code is to read: files, names, words, import cycles, and what one frame passes.

    python tools/measure_code.py              # sizes, names, words, import cycles
    python tools/measure_code.py --trace      # also: run the demo and record the files and functions that frames pass

Every figure is a count over `remi_stream/`; `docs/` and `tests/` are left out. Needs no package but the standard library;
--trace needs remi-stream installed. Exit code 1 with --check if a limit is not kept.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "remi_stream"

IDIOM = ("told", "tell", "tells", "somebody", "nobody", "everybody", "whoever", "brought", "sought")
"""Words that are in no name, docstring or help text."""
FIELD = (
    "non-maximum suppression",
    "NMS",
    "bounding box",
    "slerp",
    "rasteri",
    "re-identification",
    "occlusion",
    "back-off",
    "letterbox",
)
"""Words that an engineer of the field would search for."""
WELL_KNOWN = frozenset({"Error"})

LIMITS: Mapping[str, float] = {
    "files in 10,000 lines": 68,
    "median lines of a file": 180,
    "longest file": 500,
    "class names used twice": 0,
    "idiom": 0,
    "import cycles of files": 0,
    "import cycles of rooms": 0,
    "field words missing": 0,
    "frame files": 25,
    "pose path files": 12,
}

SITE = """
import atexit, os, sys, threading, time
began = time.monotonic()
wait_s, folder = float(os.environ["REMI_TRACE_WAIT_S"]), os.environ["REMI_TRACE_FOLDER"]
passed = set()
def record(frame, event, argument):
    if event == "call" and time.monotonic() - began > wait_s:
        code = frame.f_code
        if "remi_stream" in code.co_filename:
            passed.add((code.co_filename, code.co_qualname if hasattr(code, "co_qualname") else code.co_name))
def write():
    while True:
        time.sleep(2)
        with open(os.path.join(folder, str(os.getpid())), "w") as file:
            file.write(" ".join(sys.argv[1:]) + "\\n")
            for name in sorted(set(passed)):
                file.write("\\t".join(name) + "\\n")
if "stage" in sys.argv or any("remi_stream" in a for a in sys.orig_argv):
    threading.Thread(target=write, daemon=True).start()
    threading.setprofile(record)
    sys.setprofile(record)
"""
"""A sitecustomize module: records each Python function that a stage's process calls once it has warmed up."""


def main() -> int:
    """Print the figures; with --check compare them with the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trace", action="store_true", help="run the demo and count what frames pass")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a figure is over its limit")
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout")
    parser.add_argument("--show", action="store_true", help="list what was counted")
    options = parser.parse_args()
    sources = {path: path.read_text() for path in sorted((options.root / PACKAGE).rglob("*.py"))}
    trees = {path: ast.parse(text) for path, text in sources.items()}
    figures: dict[str, float] = {}
    details: dict[str, list[str]] = {}
    _sizes(sources, trees, figures)
    _names(trees, figures, details)
    _words(sources, trees, figures, details)
    _cycles(options.root, trees, figures, details)
    if options.trace:
        _trace(options.root, figures, details)
    failed = [name for name, limit in LIMITS.items() if figures.get(name, 0) > limit]
    for name, value in figures.items():
        mark = f"   (limit {LIMITS[name]:g}{'' if name not in failed else ', NOT KEPT'})" if name in LIMITS else ""
        print(f"{name:42} {value:10.4g}{mark}" if value < 10000 else f"{name:42} {value:10.0f}{mark}")
        if options.show:
            for line in details.get(name, []):
                print("   ", line)
    return int(bool(options.check and failed))


def _sizes(sources: Mapping[Path, str], trees: Mapping[Path, ast.Module], figures: dict[str, float]) -> None:
    lines = [len(text.splitlines()) for text in sources.values()]
    comments = sum(_comments(text) for text in sources.values())
    spans = [node.end_lineno - node.lineno + 1 for tree in trees.values() for node in ast.walk(tree) if _is_function(node)]  # type: ignore[attr-defined]
    figures["files"] = len(lines)
    figures["lines"] = sum(lines)
    figures["files in 10,000 lines"] = round(1e4 * len(lines) / sum(lines), 1)
    figures["lines of code"] = sum(_code_lines(text, trees[path]) for path, text in sources.items())
    figures["median lines of a file"] = statistics.median(lines)
    figures["median lines, without __init__.py"] = statistics.median(
        len(t.splitlines()) for p, t in sources.items() if p.name != "__init__.py"
    )
    figures["files of 50 lines or less"] = sum(count <= 50 for count in lines)
    figures["longest file"] = max(lines)
    figures["functions"] = len(spans)
    figures["mean lines of a function"] = statistics.mean(spans)
    figures["functions over 40 lines"] = sum(span > 40 for span in spans)
    figures["comment lines in 100"] = 100 * comments / sum(lines)


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _comments(text: str) -> int:
    """Lines with a comment that a reader reads, not a tool."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    marks = ("# noqa", "# type:", "#!")
    return sum(token.type == tokenize.COMMENT and not token.string.startswith(marks) for token in tokens)


def _code_lines(text: str, tree: ast.Module) -> int:
    """Lines that are neither blank, nor comments, nor docstrings."""
    documented: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            documented.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(line.strip()) and not line.strip().startswith("#") and number not in documented for number, line in lines)


def _names(trees: Mapping[Path, ast.Module], figures: dict[str, float], details: dict[str, list[str]]) -> None:
    classes: dict[str, list[str]] = defaultdict(list)
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name not in WELL_KNOWN:
                classes[node.name].append(path.stem)
    twice = {name: where for name, where in classes.items() if len(where) > 1}
    figures["classes"] = sum(map(len, classes.values()))
    figures["class names used twice"] = len(twice)
    details["class names used twice"] = [f"{name}: {', '.join(where)}" for name, where in sorted(twice.items())]


def _words(
    sources: Mapping[Path, str], trees: Mapping[Path, ast.Module], figures: dict[str, float], details: dict[str, list[str]]
) -> None:
    whole = "\n".join(sources.values()).lower()
    missing = [word for word in FIELD if word.lower() not in whole]
    figures["field words missing"] = len(missing)
    details["field words missing"] = missing
    idiom = re.compile(rf"(?<![A-Za-z])({'|'.join(IDIOM)})(?![A-Za-z])", re.IGNORECASE)
    found = []
    for path, tree in trees.items():
        for line, text in _texts(tree):
            found += [f"{path.name}:{line} {match}" for match in idiom.findall(text)]
    figures["idiom"] = len(found)
    details["idiom"] = found
    figures["functions called told or take"] = sum(
        _is_function(node) and node.name in ("told", "take")  # type: ignore[attr-defined]
        for tree in trees.values()
        for node in ast.walk(tree)
    )


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every name and every string, with its line: names split at underscores and capitals."""
    for node in ast.walk(tree):
        names = [getattr(node, field, None) for field in ("id", "attr", "arg", "name")]
        for name in names:
            if isinstance(name, str):
                yield getattr(node, "lineno", 0), re.sub(r"([a-z])([A-Z])", r"\1 \2", name).replace("_", " ")
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _cycles(root: Path, trees: Mapping[Path, ast.Module], figures: dict[str, float], details: dict[str, list[str]]) -> None:
    """Import cycles, imports inside functions counted."""
    modules = {_module(root, path): path for path in trees}
    files: dict[str, set[str]] = defaultdict(set)
    for module, path in modules.items():
        for node in ast.walk(trees[path]):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
                for alias in node.names:
                    target = f"{node.module}.{alias.name}"
                    target = target if target in modules else node.module
                    if target != module:
                        files[module].add(target)
    rooms: dict[str, set[str]] = defaultdict(set)
    for module, targets in files.items():
        for target in targets:
            if (a := _room(module)) != (b := _room(target)):
                rooms[a].add(b)
    for name, graph in (("files", files), ("rooms", rooms)):
        cycles = _strong_components(graph)
        figures[f"import cycles of {name}"] = len(cycles)
        details[f"import cycles of {name}"] = [", ".join(sorted(cycle)) for cycle in cycles]


def _module(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def _strong_components(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Sets of two or more nodes that reach each other, by their transitive closure."""
    reached = {node: _reach(graph, node) for node in graph}
    cycles: list[set[str]] = []
    for node, others in reached.items():
        cycle = {other for other in others if node in reached.get(other, ())} | {node}
        if len(cycle) > 1 and cycle not in cycles:
            cycles.append(cycle)
    return cycles


def _reach(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = [start]
    while todo:
        for target in graph.get(todo.pop(), ()):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return seen


def _trace(root: Path, figures: dict[str, float], details: dict[str, list[str]]) -> None:
    """What frames pass in the demo after 15 s: capture, detect, pose and relay, without viewers."""
    with tempfile.TemporaryDirectory() as site, tempfile.TemporaryDirectory() as out:
        (Path(site) / "sitecustomize.py").write_text(SITE)
        environment = {
            **os.environ,
            "PYTHONPATH": f"{site}{os.pathsep}{root}",
            "REMI_TRACE_WAIT_S": "15",
            "REMI_TRACE_FOLDER": out,
        }
        command = [sys.executable, "-m", PACKAGE, "demo", "--viewer", "none", "--duration", "35", "--name", "trace"]
        subprocess.run(command, env=environment, cwd=root, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        passed: dict[str, set[tuple[str, str]]] = {}
        for file in Path(out).iterdir():
            title, *lines = file.read_text().splitlines()
            words = title.split()
            stage = words[words.index("stage") + 1] if "stage" in words else "supervisor"
            passed.setdefault(stage, set()).update((path, name) for path, name in (line.split("\t") for line in lines))
    every: set[tuple[str, str]] = set()
    for stage, calls in sorted(passed.items()):
        kind = stage.split("/")[0]
        if kind not in ("capture", "pose", "relay"):
            continue
        every |= calls
        count = Counter(path.split(f"{PACKAGE}/", 1)[-1] for path, _ in calls)
        figures[f"{kind} files"] = len(count)
        figures[f"{kind} functions"] = len(calls)
        details[f"{kind} files"] = [json.dumps(count)]
    path = {file for file, _ in passed.get("pose", ()) if re.search(rf"{PACKAGE}/(pose|tracking|body|inference|geometry)", file)}
    figures["pose path files"] = len(path)
    details["pose path files"] = sorted(file.split(f"{PACKAGE}/", 1)[-1] for file in path)
    figures["frame files"] = len({path for path, _ in every})
    figures["frame functions"] = len(every)


if __name__ == "__main__":
    sys.exit(main())
