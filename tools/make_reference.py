"""Writes the reference pages that are made from the code: the keys of a pipeline file, and the skeletons.

python tools/make_reference.py             write docs/reference/pipeline-file.md and skeletons.md
python tools/make_reference.py --check     exit code 1 if a page differs from the code
"""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path
from typing import Any

import msgspec

from remi_stream.config import CameraConfig, Config
from remi_stream.config_rules import allowed_words
from remi_stream.skeletons import BONES, H36M_PARENTS, JOINT_NAMES, SMPL_PARENTS

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
PARENTS = {"smpl24": SMPL_PARENTS, "h36m17": H36M_PARENTS}
"""Skeletons that are trees; of the others only the bones are known."""
ORIGINS = {
    "smpl24": "SMPL's joints; of every SMPL pose",
    "blazepose33": "BlazePose's landmarks; of `blazepose`",
    "coco17": "COCO's key points, in AlphaPose's order; of `alphapose-17`",
    "halpe26": "Halpe's body and feet; of `alphapose-26`. The first 17 are `coco17`",
    "halpe136": "Halpe's whole body; of `alphapose`. The first 26 are `halpe26`",
    "h36m17": "Human3.6M's joints, in VideoPose3D's order; of lifted people",
    "mhr70": "MHR's joints; of `instanthmr`",
    "point": "of the engine `synthetic`, for tests",
}
"""What each skeleton is, and which engine has it, in the order of the page."""


def pipeline_page() -> str:
    """The page of all keys of a pipeline file."""
    return "\n".join(
        [
            "# Pipeline file",
            "",
            "`remi-stream run FILE` reads a YAML file with these keys. Only `cameras` is required, and of each camera `name` and",
            "`source`. An unknown key or another value is an error that names the key and what is allowed. More about cameras:",
            "[Cameras](../use/cameras.md).",
            "",
            "```yaml",
            "engine: blazepose",
            "cameras:",
            "  - {name: front, source: rtsp://192.168.1.21/stream1, mirror: true}",
            "  - {name: desk, source: /dev/video0, max_fps: 15}",
            "```",
            "",
            "## Pipeline",
            "",
            *_key_table(Config),
            "",
            "## Cameras",
            "",
            "Keys of each entry of `cameras`. Some do not apply to every kind of source; the error then names those that do.",
            "",
            *_key_table(CameraConfig),
            "",
            "*Made from the code by `tools/make_reference.py`.*",
            "",
        ]
    )


def _key_table(struct: type[msgspec.Struct]) -> list[str]:
    texts = field_docstrings(struct)
    rows = [
        f"| `{field.name}` | {_cell(allowed_words(kind.type))} | {_default(field)} | {_cell(texts[field.name])} |"
        for field, kind in zip(msgspec.structs.fields(struct), _field_types(struct))
    ]
    return ["| key | allowed | default | |", "|---|---|---|---|", *rows]


def _field_types(struct: type[msgspec.Struct]) -> Any:
    info = msgspec.inspect.type_info(struct)
    assert isinstance(info, msgspec.inspect.StructType)
    return info.fields


def field_docstrings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The text below each field of a struct. Raises KeyError later for a field without one."""
    (node,) = ast.parse(inspect.getsource(struct)).body
    assert isinstance(node, ast.ClassDef)
    texts = {}
    for field, after in zip(node.body, node.body[1:]):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            texts[field.target.id] = " ".join(str(after.value.value).split())
    return texts


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if value is None or value in ({}, (), []):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("None:", "without it:")


def skeletons_page() -> str:
    """The page of all skeletons."""
    assert list(ORIGINS) == sorted(JOINT_NAMES, key=list(ORIGINS).index), "a skeleton has no entry in ORIGINS"
    return "\n".join(
        [
            "# Skeletons",
            "",
            "A row of `keypoints_px` or `joints_m` is the joint with that index in the skeleton that the person names. Left is",
            "the person's own left. In Python: `skeletons.JOINT_NAMES` and `BONES`. More: [Conventions](conventions.md).",
            "",
            *[line for name in ORIGINS for line in _skeleton(name)],
            "*Made from the code by `tools/make_reference.py`.*",
            "",
        ]
    )


def _skeleton(name: str) -> list[str]:
    joints, parents = JOINT_NAMES[name], PARENTS.get(name)
    head = [f"## {name}", "", f"{len(joints)} {'joint' if len(joints) == 1 else 'joints'}: {ORIGINS[name]}.", ""]
    if parents:
        rows = [
            f"| {index} | `{joint}` | {f'{parent} `{joints[parent]}`' if parent >= 0 else 'the root'} |"
            for index, (joint, parent) in enumerate(zip(joints, parents))
        ]
        return [*head, "| index | joint | parent |", "|---|---|---|", *rows, ""]
    rows = [f"| {index} | `{joint}` | {_neighbours(name, index)} |" for index, joint in enumerate(joints)]
    return [*head, "| index | joint | drawn to |", "|---|---|---|", *rows, ""]


def _neighbours(skeleton: str, joint: int) -> str:
    """The joints to which a bone leads from a joint, each bone once."""
    return ", ".join(str(other) for first, other in BONES[skeleton] if first == joint)


PAGES = {"pipeline-file.md": pipeline_page, "skeletons.md": skeletons_page}


def main() -> int:
    """Write the pages, or compare them."""
    differing = [name for name, page in PAGES.items() if not _is_current(FOLDER / name, page())]
    if "--check" in sys.argv[1:]:
        for name in differing:
            print(f"docs/reference/{name} differs from the code. Run: python tools/make_reference.py")
        return 1 if differing else 0
    for name in differing:
        (FOLDER / name).write_text(PAGES[name]())
        print(f"wrote docs/reference/{name}")
    return 0


def _is_current(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
