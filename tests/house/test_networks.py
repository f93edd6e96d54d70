"""Weights by HTTP: what lies at an address never changes, and nothing but a model's two files lies at any."""

import hashlib
import shutil

import pytest
from starlette.requests import Request

from ui.live import networks
from vae_core import checkpoints
from vae_core.storage import StorageError, read_tensors, write_tensors


def ask(address: str):
    """What the route answers to an address, by its own pattern."""
    match, scope = networks.ROUTES[0].matches({"type": "http", "method": "GET", "path": f"/{address}"})
    assert match.name == "FULL", address
    return networks.ROUTES[0].endpoint(Request({"type": "http", "headers": [], **scope}))


@pytest.fixture
def house(tmp_path, monkeypatch):
    shutil.copytree(checkpoints.ROOT / "mnist-vae-2d", tmp_path / "checkpoints" / "mnist-vae-2d")
    monkeypatch.setattr(networks, "CHECKPOINTS", tmp_path / "checkpoints")
    return tmp_path / "checkpoints" / "mnist-vae-2d"


@pytest.mark.parametrize("slug", sorted(checkpoints.available()))
def test_every_model_lies_where_the_browser_is_told(slug):
    told = networks.network(slug)
    for name in networks.FILES:
        answer, file = ask(told[name]), (checkpoints.ROOT / slug / f"{name}.safetensors").read_bytes()
        assert answer.status_code == 200 and answer.body == file and told["bytes"][name] == len(file)
        assert hashlib.sha256(file).hexdigest().startswith(told[name].split("/")[2])
        assert "immutable" in answer.headers["cache-control"] and answer.headers["content-length"] == str(len(file))
        assert answer.headers["content-encoding"] == "identity"  # else the server would shrink it for each visitor


def test_a_model_that_was_trained_again_has_another_address(house):
    """Found without a restart; under the old address lies nothing, and surely not the new file."""
    before = networks.network("mnist-vae-2d")
    tensors, _ = read_tensors(house / "weights.safetensors")
    write_tensors(house / "weights.safetensors", {name: 2 * tensor for name, tensor in tensors.items()})
    after = networks.network("mnist-vae-2d")
    assert before["weights"] != after["weights"] and before["codes"] == after["codes"]
    assert ask(before["weights"]).status_code == 404
    assert ask(after["weights"]).body == (house / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("slug", ["..", ".", "", "nobody", "mnist-vae-2d%2f..", "judge/..", "..%2f", "\0", "a" * 4000])
@pytest.mark.parametrize("name", ["weights", "card", "../card", "exact", "weights\0"])
def test_nothing_else_lies_at_any_address(house, slug, name):
    """Cards, other folders, files above: a hostile address is answered like a wrong one."""
    (house.parent / "weights.safetensors").write_bytes(b"above")
    wanted = hashlib.sha256(b"above").hexdigest()[: networks.PRINT]
    params = {"slug": slug, "print": wanted, "name": name}
    answer = networks.ROUTES[0].endpoint(Request({"type": "http", "headers": [], "path_params": params}))
    assert answer.status_code == 404 and b"above" not in answer.body and str(house.parent).encode() not in answer.body


def test_a_broken_file_is_named_before_any_browser_asks(house):
    (house / "codes.safetensors").write_bytes(b"no tensors")
    with pytest.raises(StorageError, match=r"codes\.safetensors"):
        networks.network("mnist-vae-2d")
    (house / "codes.safetensors").unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        networks.network("mnist-vae-2d")
