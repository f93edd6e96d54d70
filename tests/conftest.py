"""What every test gets: one thread, no user cache, no network beyond this machine."""

import os

# Before torch is imported: bit-identical runs, and no threads that spin on each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import ipaddress
import socket
from pathlib import Path

import pytest
from mirror import content, mirror, small  # noqa: F401  fixtures

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def _no_traces(tmp_path_factory: pytest.TempPathFactory):
    """A test that reads the user's cache passes on one machine only; one that writes there leaves traces."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
            patch.setenv(variable, str(tmp_path_factory.mktemp("cache")))
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield


def on_this_machine(host: str) -> bool:
    """Whether an address or a host name leads nowhere else; a name is not looked up, that would ask the network."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session", autouse=True)
def _no_network():
    """A test that needs the network fails where there is one, and not first at a person who has none."""

    def local_only(call):
        def guarded(self: socket.socket, address):
            if self.family in (socket.AF_INET, socket.AF_INET6) and not on_this_machine(address[0]):
                raise AssertionError(f"A test tried to reach {address}: tests must pass without a network.")
            return call(self, address)

        return guarded

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, local_only(getattr(socket.socket, name)))
        yield


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The folder of the real MNIST that `VAE_DATA` names; the test is skipped where there is none."""
    from vae_core import data

    if not os.environ.get("VAE_DATA") or not data.is_available("mnist"):
        pytest.skip("needs MNIST: set VAE_DATA to a folder that holds MNIST/raw")
    return data.data_dir()
