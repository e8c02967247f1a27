"""Deals the tests to xdist's workers: to each its share of what waits, and that first.

With `--dist worksteal` a worker begins with one stretch of the list and takes from the end of another's when its own is
done. So each stretch begins with what takes longest, goes on with handfuls of one file, whose tests share what it
builds, and ends in tests of a moment, file after file.
"""

import os

import pytest

_HANDFUL = 5
_LONG = ("tests/lab/", "tests/scenario/", "tests/command/")
_LONGEST = (
    "tests/lab/test_edge_matrix.py::test_both_laws_hold_where_hops_ration",
    "tests/lab/test_alone.py::test_a_line_that_is_too_narrow_fails_once",
    "tests/lab/test_links.py::test_every_packet_of_every_probe_leaves_by_its_line",
    "tests/lab/test_dns.py::test_behind_dns64_a_run_says_what_it_says_without",
    "tests/lab/test_firewall.py::test_a_port_that_is_called_blocked_is_blocked_where_hops_ration_too",
    "tests/lab/test_own_machine.py::test_a_whole_run_while_the_interface_is_down_for_two_seconds",
)
"Each takes a minute or more, so it begins before all others."


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The same order in every worker, as xdist demands."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    longest, long, short = ([item for item in items if _kind(item) == kind] for kind in (_LONGEST, _LONG, ()))
    handfuls = _handfuls(long)
    dealt: list[pytest.Item] = []
    for worker in range(workers if workers > 1 else 0):
        size = (len(items) - len(dealt)) // (workers - worker)  # as xdist cuts the list
        stretch = longest[worker::workers] + [item for handful in handfuls[worker::workers] for item in handful]
        filling = max(0, size - len(stretch))
        dealt += stretch + short[:filling]
        del short[:filling]
    if dealt:
        items[:] = dealt + short


def _handfuls(items: list[pytest.Item]) -> list[list[pytest.Item]]:
    """So many tests of one file."""
    handfuls: list[list[pytest.Item]] = []
    for item in items:
        if not handfuls or len(handfuls[-1]) == _HANDFUL or handfuls[-1][0].path != item.path:
            handfuls.append([])
        handfuls[-1].append(item)
    return handfuls


def _kind(item: pytest.Item) -> tuple[str, ...]:
    """_LONGEST, _LONG, or () for a test of a moment."""
    if item.nodeid.startswith(_LONGEST):
        return _LONGEST
    return _LONG if item.nodeid.startswith(_LONG) or item.get_closest_marker("waits") is not None else ()
