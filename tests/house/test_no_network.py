"""The guard of all tests (tests/conftest.py): nothing beyond this machine is reached, by whatever name or call."""

import socket

import pytest

CALLS = ("connect", "connect_ex")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("host", ["192.0.2.1", "example.invalid", "localhost.example.invalid", "2001:db8::1"])
def test_another_machine_is_not_reached(host, call):
    """A guard that knows only numbers, or only `connect`, lets a test pass here that fails without a network."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as client, pytest.raises(AssertionError, match="without a network"):
        getattr(client, call)((host, 80))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached(host, call):
    """Servers that tests start themselves must answer, whether by name or by number."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        assert not getattr(client, call)((host, server.getsockname()[1]))
