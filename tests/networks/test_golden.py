"""Every network gives the published networks' numbers, and every step around them too."""

import pytest
import torch
from parity import networks, preprocess

from remi_stream.networks.served import build_network
from remi_stream.networks.state_dict_diff import tensor_shapes
from tests.networks.golden import FOLDERS, GOLDENS, NETWORKS, WHOLE, folder_of

LIGHT = ("smoothnet", "videopose3d", "pare")
DAILY = [golden for golden in NETWORKS if golden.path.parent == FOLDERS[-1] or golden.name in LIGHT]
"""Everything of the larger set, and a little of the smaller one."""
PREPROCESS = [golden for golden in GOLDENS if golden.name == "preprocess"]
GROUPS = [(golden, group) for golden in PREPROCESS for group in sorted(preprocess.groups_of(golden.entries(), golden.manifest))]


def failures(rows):
    rows = list(rows)
    assert rows
    return [row for row in rows if not row.passed]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("golden", DAILY, ids=folder_of)
def test_network_gives_the_golden_numbers_for_one_image(golden):
    entries = {name: array for name, array in golden.entries().items() if golden.path.parent != WHOLE or "b3." not in name}
    assert failures(networks.check(golden.name, entries, golden.manifest)) == []


@pytest.mark.slow
@pytest.mark.parametrize("golden", NETWORKS, ids=folder_of)
def test_network_gives_the_golden_numbers_for_every_batch(golden):
    assert failures(networks.check(golden.name, golden.entries(), golden.manifest)) == []


@pytest.mark.parametrize(("golden", "group"), GROUPS, ids=lambda value: value if isinstance(value, str) else folder_of(value))
def test_step_around_the_networks_gives_the_golden_numbers(golden, group):
    assert failures(preprocess.check(golden.entries(), golden.manifest, group)) == []


@pytest.mark.parametrize("golden", [golden for golden in NETWORKS if "state_dict" in golden.manifest], ids=folder_of)
def test_keys_and_shapes_are_the_published_ones_in_their_order(golden):
    with torch.device("meta"):
        found = tensor_shapes(build_network(golden.name).state_dict())
    assert list(found.items()) == [(key, tuple(shape)) for key, shape, _ in golden.manifest["state_dict"]]


def test_a_network_on_the_meta_device_takes_no_memory():
    with torch.device("meta"):
        module = build_network("poco_cliff")
    assert {tensor.device.type for tensor in module.state_dict().values()} == {"meta"}
