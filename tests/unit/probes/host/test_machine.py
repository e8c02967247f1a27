"""CPU, memory and clock of this machine: what psutil and the kernel say comes through, and nothing is made up."""

import ctypes
import threading
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from gosip_check.probes.host import machine
from gosip_check.probes.host.machine import Clock, Options, kernel_clock, measure
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link

CONTEXT = Context(Link("Internet-1"))


@pytest.mark.waits
def test_this_machine() -> None:
    facts = measure(Options(), CONTEXT)
    assert 0 <= facts.cpu_pct <= 100
    assert facts.cpu_count >= 1
    assert 0 < facts.memory_available_mb <= facts.memory_total_mb
    assert 0 < facts.memory_used_pct <= 100
    assert facts.evidence["cpu_pct"].endswith(f"of {facts.cpu_count} processor(s) in use over 1 s.")


def test_the_first_reading_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([0.0, 97.0])
    waits: list[float] = []
    mebibyte = 1024 * 1024
    memory = SimpleNamespace(total=4096 * mebibyte, available=1024 * mebibyte, percent=75.0)
    monkeypatch.setattr(psutil, "cpu_percent", lambda: next(readings))
    monkeypatch.setattr(psutil, "cpu_count", lambda: None)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(machine, "kernel_clock", lambda: Clock(12.5, "The clock is right."))
    monkeypatch.setattr(Context, "wait", lambda self, seconds: waits.append(seconds))
    facts = measure(Options(), CONTEXT)
    assert waits == [1.0]
    assert (facts.cpu_pct, facts.cpu_count, facts.memory_total_mb, facts.memory_available_mb) == (97.0, 1, 4096, 1024)
    assert (facts.memory_used_pct, facts.clock_error_ms) == (75.0, 12.5)
    assert facts.evidence == {
        "cpu_pct": "97 % of 1 processor(s) in use over 1 s.",
        "memory_used_pct": "75 % in use, 1024 MiB available.",
        "clock_error_ms": "The clock is right.",
    }


def test_stop_ends_the_second_of_waiting() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(ProbeFailed) as caught:
        measure(Options(), Context(Link("Internet-1"), stop))
    assert caught.value.failure.kind is FailureKind.INTERRUPTED


def kernel_that_says(monkeypatch: pytest.MonkeyPatch, state: int, status: int, maxerror_us: int) -> None:
    """A libc whose adjtimex(2) fills in what it is told."""

    def adjtimex(reference: Any) -> int:
        timex = reference._obj
        assert timex.modes == 0  # anything else would set the clock
        timex.status, timex.maxerror = status, maxerror_us
        return state

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(adjtimex=adjtimex))


@pytest.mark.parametrize(
    ("state", "status", "max_error_ms"),
    [
        (0, 0x2001, 12.5),
        (5, 0x2041, None),  # TIME_ERROR: nothing synchronises it
        (0, 0x0040, None),
        (-1, 0x2001, None),  # forbidden, as in a sandbox
    ],
)
def test_the_kernels_clock(
    monkeypatch: pytest.MonkeyPatch, state: int, status: int, max_error_ms: float | None
) -> None:
    kernel_that_says(monkeypatch, state, status, 12_500)
    clock = kernel_clock()
    assert clock.max_error_ms == max_error_ms
    assert clock.words.startswith("Nothing disciplines" if max_error_ms is None else "The clock is disciplined")


def test_the_structure_is_the_kernels() -> None:
    """Where adjtimex(2) has the fields that are read; the live call then fits into the buffer."""
    timex = machine._Timex()
    assert ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) in range(6)
    layout = [(name, getattr(machine._Timex, name).offset) for name in ("offset", "maxerror", "status")]
    word = ctypes.sizeof(ctypes.c_long)
    assert layout == [("offset", word), ("maxerror", 3 * word), ("status", 5 * word)]
