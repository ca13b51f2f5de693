"""The site builds without a warning, every page is in its navigation, and links of the README lead to files."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#\s]*)(?:#[\w-]+)?\)")
PRIVATE_WORDS = re.compile(r"\b(somebody|nobody|whoever|films?|told|brought|sought|looked for|the books)\b", re.IGNORECASE)


def pages_of(entry: object) -> Iterator[str]:
    """All pages of a part of the navigation."""
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry if isinstance(entry, list) else entry.values():  # type: ignore[attr-defined]
            yield from pages_of(part)


def test_every_page_is_in_the_navigation_once() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert sorted(pages_of(config["nav"])) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_page_links_to_files_of_the_site_only(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if target and "://" not in target:
            assert (page.parent / target).is_file(), f"{page.name}: {target}"
            assert (page.parent / target).resolve().is_relative_to(DOCS), f"{page.name}: {target} is not on the site"


@pytest.mark.parametrize(
    "page", [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name
)
def test_page_uses_the_glossary_words(page: Path) -> None:
    quoted = re.sub(r"```.*?```|`[^`]*`|Not \"film\"", "", page.read_text(), flags=re.DOTALL)
    assert PRIVATE_WORDS.findall(quoted) == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_a_page_at_the_root_lead_to_files(name: str) -> None:
    targets = [target for target in LINK.findall((ROOT / name).read_text()) if target and "://" not in target]
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.skipif(importlib.util.find_spec("zensical") is None, reason="zensical is not installed: pip install -e '.[docs]'")
def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    done = subprocess.run([sys.executable, "-m", "zensical", "build", "--strict"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "build" / "site" / "extend" / "architecture" / "index.html").is_file()


@pytest.mark.parametrize("page", [*sorted(DOCS.rglob("*.md")), ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = re.findall(r"\b((?:remi_stream|tests|tools|configs|engines)/[\w./-]*\w)(?![\w*<])", page.read_text())
    assert sorted({path for path in named if not (ROOT / path).exists()}) == []


def test_architecture_describes_every_room() -> None:
    text = (DOCS / "extend" / "architecture.md").read_text()
    rooms = {folder.parent.name for folder in (ROOT / "remi_stream").glob("*/__init__.py")}
    described = {
        name for line in text.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)/`", line.split("|")[1])
    }
    assert described == rooms | {"data"}
