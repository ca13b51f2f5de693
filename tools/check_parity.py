"""Check the networks and their pre- and post-processing against golden vectors.

    python tools/check_parity.py ../shared/parity
    python tools/check_parity.py FOLDER --seed 7 --only poco_cliff      (or a group of preprocess: --only sort)

Every FOLDER/<name>.npz is checked by running the network of that name with the recipe's weights (parity/recipe.py) on its
inputs. Manifests <name>.json that FOLDER lacks are read from ../shared/parity. Exits with 1 if a row fails or is missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import extras_hint  # noqa: F401  # first: a missing package is one line

sys.path.insert(0, str(Path(__file__).resolve().parent))

from parity.folder import read_folder
from parity.report import format_row, format_verdict
from parity.rows import Row
from parity.run import rows_of


def main() -> int:
    """Print each row as it is computed, then the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, help="seed of the weights (default: the manifest's)")
    parser.add_argument("--only", default="", help="one npz, or one group of preprocess.npz")
    options = parser.parse_args()
    goldens = read_folder(options.folder)
    rows = list(print_rows(rows_of(goldens, options.seed, options.only)))
    if not rows:
        names = ", ".join(golden.name for golden in goldens) or "no .npz"
        selection = f" for --only '{options.only}'" if options.only else ""
        print(f"Nothing to check{selection}: {options.folder} has {names}")
    print(format_verdict(rows))
    return 0 if rows and all(row.passed for row in rows) else 1


def print_rows(rows: Iterator[Row]) -> Iterator[Row]:
    """Print and pass on rows."""
    for row in rows:
        print(format_row(row), flush=True)
        yield row


if __name__ == "__main__":
    sys.exit(main())
