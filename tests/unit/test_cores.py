"""Many items on all cores: in order, and an item that ends its process costs its own result only."""

import os
import signal

import pytest

from gosip_check.cores import MOST_MEMORY, on_all_cores

pytestmark = pytest.mark.waits


def _doubled(number: int) -> int:
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def test_results_come_in_order_and_the_one_of_a_killed_process_is_lost() -> None:
    results = list(on_all_cores(_doubled, range(60), lambda number: -number))
    assert results == [-7 if number == 7 else 2 * number for number in range(60)]


def _filled(octets: int) -> str:
    try:
        return f"{len(bytes(octets))} octets"
    except MemoryError:
        return "too much"


def test_memory_is_bounded_in_each_process() -> None:
    assert list(on_all_cores(_filled, [10, MOST_MEMORY, 20], str)) == ["10 octets", "too much", "20 octets"]
