"""Deals the tests to xdist's workers: to each its share of what waits, and that first.

With `--dist worksteal` a worker begins with one stretch of the list and takes from the end of another's when its own is
done. So each stretch begins with what takes long and ends in tests of a moment, both in handfuls of one file, whose
tests share what that file builds or reads.
"""

import os

import pytest

_HANDFUL, _MANY = 5, 25
_LONG = ("tests/lab/", "tests/scenario/", "tests/command/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The same order in every worker, as xdist demands."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        stretches = [
            [*_handfuls(_long(items), _HANDFUL)[worker::workers], *_handfuls(_short(items), _MANY)[worker::workers]]
            for worker in range(workers)
        ]
        items[:] = [item for stretch in stretches for handful in stretch for item in handful]


def _handfuls(items: list[pytest.Item], most: int) -> list[list[pytest.Item]]:
    """Handfuls of at most so many tests of one file."""
    handfuls: list[list[pytest.Item]] = []
    for item in items:
        if not handfuls or len(handfuls[-1]) == most or handfuls[-1][0].path != item.path:
            handfuls.append([])
        handfuls[-1].append(item)
    return handfuls


def _long(items: list[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if _waits(item)]


def _short(items: list[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if not _waits(item)]


def _waits(item: pytest.Item) -> bool:
    return item.nodeid.startswith(_LONG) or item.get_closest_marker("waits") is not None
