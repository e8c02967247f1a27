"""CPU, memory and clock of this machine: what psutil and the kernel say comes through, and nothing is made up."""

import ctypes
import threading
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from gosip_check.checklist import load
from gosip_check.judge import judge
from gosip_check.probes.host import machine, ntp
from gosip_check.probes.host.machine import Clock, Options, kernel_clock, measure
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link, Outcome
from tests.unit.records import measurement

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
    monkeypatch.setattr(machine, "kernel_clock", lambda: Clock((0.0, 12.5), "The clock is right."))
    monkeypatch.setattr(Context, "wait", lambda self, seconds: waits.append(seconds))
    facts = measure(Options(), CONTEXT)
    assert waits == [1.0]
    assert (facts.cpu_pct, facts.cpu_count, facts.memory_total_mb, facts.memory_available_mb) == (97.0, 1, 4096, 1024)
    assert (facts.memory_used_pct, facts.clock_error_ms) == (75.0, None)
    assert facts.between == {"clock_error_ms": (0.0, 12.5)}
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
    ("state", "status", "bounds_ms"),
    [
        (0, 0x2001, (0.0, 12.5)),
        (5, 0x2041, None),  # TIME_ERROR: nothing synchronises it
        (0, 0x0040, None),
        (-1, 0x2001, None),  # forbidden, as in a sandbox
    ],
)
def test_the_kernels_clock(
    monkeypatch: pytest.MonkeyPatch, state: int, status: int, bounds_ms: tuple[float, float] | None
) -> None:
    kernel_that_says(monkeypatch, state, status, 12_500)
    clock = kernel_clock()
    assert clock.bounds_ms == bounds_ms
    assert clock.words.startswith("Nothing sets" if bounds_ms is None else "This clock is set by a time service")


@pytest.mark.parametrize(
    ("offset_ms", "error_ms", "outcome"),
    [
        (3.0, 20.0, Outcome.PASS),
        (-1990.0, 2000.0, Outcome.PASS),
        (-1500.0, 2600.0, Outcome.UNKNOWN),  # the server itself may be wrong by so much
        (2500.0, 4000.0, Outcome.UNKNOWN),
        (-2500.0, 2900.0, Outcome.WARN),
        (86_400_000.0, 86_400_050.0, Outcome.WARN),
    ],
)
def test_a_clock_is_wrong_only_where_it_cannot_be_right(offset_ms: float, error_ms: float, outcome: Outcome) -> None:
    asked = ntp.Facts(servers=[], any_server_tells_time=True, offset_ms=offset_ms, error_ms=error_ms, evidence={})
    clock = machine._clock(Context(Link("Internet-1"), seen={"ntp": asked}))
    assert judged(clock) is outcome


@pytest.mark.parametrize(
    ("maxerror_us", "outcome"), [(2_000_000, Outcome.PASS), (2_000_001, Outcome.UNKNOWN), (15_000_000, Outcome.UNKNOWN)]
)
def test_a_kernel_that_nobody_told_the_time_lately_does_not_make_the_clock_wrong(
    monkeypatch: pytest.MonkeyPatch, maxerror_us: int, outcome: Outcome
) -> None:
    kernel_that_says(monkeypatch, 0, 0x2001, maxerror_us)
    assert judged(kernel_clock()) is outcome


def judged(clock: Clock) -> Outcome:
    """What host.clock comes to, of a checklist that is shipped."""
    assert clock.bounds_ms is not None
    facts = {"clock_error_ms": None, "between": {"clock_error_ms": clock.bounds_ms}, "evidence": {}}
    (requirement,) = (each for each in load("go-native").requirements if each.id == "host.clock")
    return judge(requirement, measurement(facts)).outcome


def test_the_structure_is_the_kernels() -> None:
    """Where adjtimex(2) has the fields that are read; the live call then fits into the buffer."""
    timex = machine._Timex()
    assert ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) in range(6)
    layout = [(name, getattr(machine._Timex, name).offset) for name in ("offset", "maxerror", "status")]
    word = ctypes.sizeof(ctypes.c_long)
    assert layout == [("offset", word), ("maxerror", 3 * word), ("status", 5 * word)]
