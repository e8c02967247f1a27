"""One function of many items at once: order, failures, and a program that ends although one of them hangs."""

import subprocess
import sys
import threading

import pytest

from gosip_check.probes.probe import side_by_side


def test_results_come_in_the_order_of_the_items() -> None:
    assert side_by_side(lambda number: number * 2, range(100)) == [number * 2 for number in range(100)]
    assert side_by_side(str, []) == []


def test_so_many_at_once() -> None:
    met = threading.Barrier(3)
    assert side_by_side(lambda number: met.wait(timeout=30) >= 0, range(3), 3) == [True] * 3


def test_what_one_raises_is_raised() -> None:
    def fail(number: int) -> int:
        if number == 3:
            raise KeyError(number)
        return number

    with pytest.raises(KeyError, match="3"):
        side_by_side(fail, range(9))


@pytest.mark.waits
def test_one_that_hangs_does_not_keep_the_program_from_ending() -> None:
    program = """
import threading
from gosip_check.probes.probe import side_by_side
begun = threading.Event()
hang = lambda _: (begun.set(), threading.Event().wait())
threading.Thread(target=side_by_side, args=(hang, [1]), daemon=True).start()
begun.wait()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
