"""The tool fails when something differs or is not there."""

import gzip
import json
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
from parity import networks, preprocess, recipe, rows
from parity.family_keypoints import undecided

from tests.networks.golden import SMALL, TOOL, read_folder


@pytest.fixture
def folder(tmp_path):
    """A folder with SmoothNet's golden vectors."""
    for path in SMALL.glob("smoothnet*"):
        shutil.copy(path, tmp_path)
    return tmp_path


def change(folder, edit):
    """Edit the entries of the folder's npz."""
    (golden,) = read_folder(folder)
    entries = golden.entries()
    edit(entries)
    np.savez(golden.path, **entries)


def run(folder, *options):
    return subprocess.run([sys.executable, TOOL, folder, *options], capture_output=True, text=True, check=False)


def test_tool_passes_and_prints_a_row_each(folder):
    done = run(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "w8.r16b1.b1.out.y" in line]
    name, error, tolerance, verdict, *_ = line.split()
    assert float(error) < float(tolerance) == 2e-5
    assert (name, verdict) == ("smoothnet:w8.r16b1.b1.out.y", "pass")
    assert done.stdout.splitlines()[-1].endswith("0 fail, 0 missing")


def test_another_seed_makes_other_weights_and_so_fails(folder):
    done = run(folder, "--seed", "7")
    assert done.returncode == 1
    assert "FAIL" in done.stdout
    assert "weights" not in done.stdout


def test_vectors_that_were_made_with_another_seed_pass_with_it(folder):
    (golden,) = read_folder(folder)

    def remake(entries):
        module, variant = networks.find_families()["smoothnet"], golden.manifest["variants"]["w8.r16b1"]
        shapes = {key: tuple(shape) for key, shape, _ in variant["state_dict"]}
        state = recipe.make_state(shapes, 99, golden.manifest["weights"]["gain"])
        network = module.make("smoothnet", shapes, variant)
        network.load_state_dict({key: networks.torch.from_numpy(array) for key, array in state.items()})
        x = entries["w8.r16b1.b1.in.x"] * 2
        kept = {"w8.r16b1.b1.in.x": x, "w8.r16b1.b1.out.y": network(networks.torch.from_numpy(x))[0].detach().numpy()}
        entries.clear()
        entries.update(kept)

    change(folder, remake)
    (folder / "smoothnet.json.gz").unlink()
    shutil.copy(SMALL / "smoothnet.json.gz", folder)
    promised = json.loads(gzip.decompress((folder / "smoothnet.json.gz").read_bytes()))
    del promised["npz_entries"]
    (folder / "smoothnet.json").write_text(json.dumps(promised))
    assert run(folder, "--seed", "99").returncode == 0
    assert run(folder).returncode == 1


def test_changed_output_fails(folder):
    change(folder, lambda entries: entries["w8.r16b1.b1.out.y"].__iadd__(1e-4))
    done = run(folder)
    assert done.returncode == 1
    assert "1 fail, 0 missing" in done.stdout


def test_entry_that_the_manifest_promises_is_missed(folder):
    change(folder, lambda entries: entries.pop("w8.r16b1.b1.out.y"))
    done = run(folder)
    assert done.returncode == 1
    assert "0 fail, 1 missing" in done.stdout


def test_output_that_is_not_computed_is_missing(folder):
    change(folder, lambda entries: entries.update({"w8.r16b1.b1.out.z": np.zeros(3)}))
    assert "0 fail, 1 missing" in run(folder).stdout


def test_unknown_network_is_missing(folder):
    np.savez(folder / "bodynet.npz", **{"b1.in.img": np.zeros(3)})
    (folder / "bodynet.json").write_text('{"weights": {"seed": 1, "gain": 1}}')
    done = run(folder, "--only", "bodynet")
    assert done.returncode == 1
    assert "no family_*.py knows this network" in done.stdout


def test_nothing_to_check_is_no_success(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 1
    assert "no .npz" in done.stdout


def test_group_without_a_file_is_missing():
    (row,) = preprocess.check({"dance.out.steps": np.zeros(3)}, {})
    assert not row.passed
    assert "no module group_dance.py" in row.rule


def test_entry_that_a_group_does_not_cover_is_missing():
    class Group:
        @staticmethod
        def check(entries, manifest):
            yield rows.compare("dance.out.steps", entries["dance.out.steps"], np.zeros(3), 0)

    entries = {"dance.out.steps": np.zeros(3), "dance.out.turns": np.zeros(3)}
    found = {row.name: row.passed for row in preprocess.check_group("dance", Group, entries, {})}
    assert found == {"dance.out.steps": True, "dance.out.turns": False}


def test_group_that_breaks_is_reported_and_fails():
    class Group:
        @staticmethod
        def check(entries, manifest):
            raise KeyError("steps")
            yield

    found = list(preprocess.check_group("dance", Group, {}, {}))
    assert found
    assert not any(row.passed for row in found)
    assert "KeyError: 'steps'" in found[0].rule


@pytest.mark.parametrize(
    ("got", "passed"),
    [
        ([1.0, 100.0], True),
        ([1.009, 100.9], True),
        ([1.03, 100.0], False),
        ([1.0, 102.0], False),
        ([1.0], False),
        ([1, math.nan], False),
    ],
)
def test_comparison_allows_an_absolute_and_a_relative_error(got, passed):
    assert rows.compare("a", got, [1.0, 100.0], 0.01, 0.01).passed == passed


def test_peaks_that_any_machine_may_choose_are_not_compared():
    maps = np.random.default_rng(1).normal(size=(1, 4, 9, 9)).astype(np.float32)
    maps[0, :, 4, 4] = 9
    maps[0, 1, 2, 2] = 9.0001
    maps[0, 2, 4, 3] = maps[0, 2, 4, 5]
    maps[0, 3, 0, 0] = 12
    assert undecided(maps).tolist() == [[False, True, True, False]]
    row = rows.compare("a", np.ma.masked_array([1.0, 2.0], [True, False]), [5.0, 2.0], 0.01)
    assert row.passed
    assert "1 of 2 undecided" in row.rule


def test_weights_depend_on_name_and_seed_only():
    shapes = {"a.weight": (8, 3, 3, 3), "b.weight": (8, 4)}
    both = recipe.make_state(shapes, 1, 2.0)
    alone = recipe.make_state({"b.weight": (8, 4)}, 1, 2.0)
    assert (both["b.weight"] == alone["b.weight"]).all()
    assert np.abs(both["a.weight"].mean((1, 2, 3))).max() < 1e-6
    assert both["a.weight"].std() > 1.5 / math.sqrt(27)
