"""Deals the tests to xdist's workers: to each its share of what waits, and that first.

With `--dist worksteal` a worker begins with one stretch of the list and takes from the end of another's when its own is
done. So each stretch begins with what takes long, in handfuls of one file, whose tests share what that file builds, and
ends in tests of a moment.
"""

import os

import pytest

_HANDFUL = 5
_LONG = ("tests/lab/", "tests/scenario/", "tests/command/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The same order in every worker, as xdist demands."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        stretches = [
            [*_dealt(_long(items), worker, workers), *_short(items)[worker::workers]] for worker in range(workers)
        ]
        items[:] = [item for stretch in stretches for item in stretch]


def _dealt(items: list[pytest.Item], worker: int, workers: int) -> list[pytest.Item]:
    """Every so-manieth handful."""
    handfuls: list[list[pytest.Item]] = []
    for item in items:
        if not handfuls or len(handfuls[-1]) == _HANDFUL or handfuls[-1][0].path != item.path:
            handfuls.append([])
        handfuls[-1].append(item)
    return [item for handful in handfuls[worker::workers] for item in handful]


def _long(items: list[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if item.nodeid.startswith(_LONG)]


def _short(items: list[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if not item.nodeid.startswith(_LONG)]
