"""A test in this folder starts no program and waits for nothing, unless it is marked `waits`: `tests/run --quick`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"}
_unmarked: list[str] = []
"The test that is running, where it may start nothing."


class StartedAProgram(BaseException):
    """A test that is not marked `waits` started one. No `except Exception` may hide it."""


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if _unmarked and event in _STARTS:
        raise StartedAProgram(f"{_unmarked[0]} starts a program: mark it `waits`. It was {arguments[:2]}.")


sys.addaudithook(_refuse)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Around a test and its fixtures, also those that it shares with others. Hears of tests in other folders, too."""
    if Path(__file__).parent in item.path.parents and item.get_closest_marker("waits") is None:
        _unmarked.append(item.nodeid)
    try:
        return (yield)
    finally:
        _unmarked.clear()
