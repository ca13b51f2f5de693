"""Checks the networks and everything around them against golden vectors.

    python tools/check_parity.py ../shared/parity
    python tools/check_parity.py FOLDER --seed 7 --only poco_cliff      (or a group of preprocess: --only sort)

For every FOLDER/<name>.npz the network of that name is filled with the recipe's weights (parity/recipe.py) and run on its
inputs. A manifest <name>.json that FOLDER lacks is read from ../shared/parity beside the project. Exits 1 when a row fails or
something is missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from parity.folder import read_folder
from parity.report import told, verdict_of
from parity.rows import Row
from parity.run import rows_of


def main() -> int:
    """Print a row each as they come, then the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, help="of the weights; the manifest's if not given")
    parser.add_argument("--only", default="", help="one npz, or one group of preprocess.npz")
    options = parser.parse_args()
    goldens = read_folder(options.folder)
    rows = list(printed(rows_of(goldens, options.seed, options.only)))
    if not rows:
        names = ", ".join(golden.name for golden in goldens) or "no .npz"
        wanted = f" for --only '{options.only}'" if options.only else ""
        print(f"Nothing to check{wanted}: {options.folder} has {names}")
    print(verdict_of(rows))
    return 0 if rows and all(row.passed for row in rows) else 1


def printed(rows: Iterator[Row]) -> Iterator[Row]:
    """Pass rows on, printing each."""
    for row in rows:
        print(told(row), flush=True)
        yield row


if __name__ == "__main__":
    sys.exit(main())
