"""For every test: traffic stays on loopback. Anything else is refused before it leaves, UDP included.

This guard knows the process of the tests alone, and says which line wanted to send. What they start has no way out
either: own_network.py. The lab's network namespaces have no link to the outside.
"""

import functools
import gc
import itertools
import os
import pickle
import socket
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from gosip_check import checklist
from gosip_check.records import Checklist
from gosip_check.tomlfile import data_folder

pytest_plugins = ["tests.own_network", "tests.dealt"]


def pytest_configure() -> None:
    """Defaults and kept reports of whoever runs the tests are none of theirs."""
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        os.environ[variable] = tempfile.mkdtemp(prefix="gosip-check-tests-")


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector of garbage need not look through it after every few objects."""
    gc.collect()
    gc.freeze()


_SHIPPED = data_folder()
_read_toml = tomllib.loads


@functools.lru_cache(maxsize=16)
def _kept_toml(text: str) -> bytes:
    return pickle.dumps(_read_toml(text))


def _toml(text: str, /) -> dict[str, Any]:
    """Each caller gets a document of its own."""
    document: dict[str, Any] = pickle.loads(_kept_toml(text))
    return document


# Most of a checklist's loading is TOML, and the tests load the same few hundreds of times. The text alone decides.
tomllib.loads = _toml  # type: ignore[assignment]


_load_file = checklist.load_file
_kept_checklist = functools.cache(_load_file)


def _shipped_once(path: Path) -> Checklist:
    """Nothing writes to what comes with the tool, and what is loaded is never written to."""
    return _kept_checklist(path) if path.parent == _SHIPPED else _load_file(path)


checklist.load_file = _shipped_once


class LeftTheMachine(BaseException):
    """A test tried to send to an address that is not loopback. No `except Exception` may hide it."""


def _refuse_others(address: object) -> None:
    if not isinstance(address, tuple):
        return  # a path: AF_UNIX
    host = str(address[0])
    if host in ("", "localhost", "0.0.0.0", "::"):
        return
    try:
        inside = ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise LeftTheMachine(f"a test wanted to send to {address}")


class _GuardedSocket(socket.socket):
    """Every socket of the process is one of these while a test runs. `connect` on UDP only looks for a route."""

    def connect(self, address: Any, /) -> None:
        if self.type != socket.SOCK_DGRAM:
            _refuse_others(address)
        super().connect(address)

    def connect_ex(self, address: Any, /) -> int:
        _refuse_others(address)
        return super().connect_ex(address)

    def sendto(self, *args: Any) -> int:
        _refuse_others(args[-1])
        return super().sendto(*args)

    def sendmsg(self, *args: Any) -> int:
        if len(args) > 3:
            _refuse_others(args[3])
        return super().sendmsg(*args)

    def send(self, *args: Any) -> int:
        if self.type == socket.SOCK_DGRAM:
            _refuse_others(self.getpeername())
        return super().send(*args)


@pytest.fixture(scope="session")
def states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders, each new. Not each by `mktemp`, which looks through all that there are by then."""
    base = tmp_path_factory.mktemp("states")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def nothing_kept_from_before(monkeypatch: pytest.MonkeyPatch, states: Iterator[Path]) -> None:
    """What runs keep for each other, such as how often they filled the line, is empty, and stays out of this home."""
    state = next(states)
    state.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(state))


@pytest.fixture(autouse=True)
def stay_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve: Callable[..., Any] = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_others((host.decode() if isinstance(host, bytes) else host or "",))
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "socket", _GuardedSocket)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
