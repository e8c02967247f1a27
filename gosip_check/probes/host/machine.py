"""Is the machine that runs this fit to measure, and to carry calls? CPU, memory, clock. Reads; changes nothing."""

import ctypes
import platform
from dataclasses import dataclass

import psutil

from gosip_check.probes import probe
from gosip_check.probes.host import ntp
from gosip_check.probes.probe import Context, Probe

_CPU_SAMPLE_S = 1.0


class Options(probe.Options, frozen=True):
    """Nothing to choose."""


class Facts(probe.Facts, frozen=True):
    """clock_error_ms: the most by which the clock may be off, by a time server of the checklist where one tells, else
    by what disciplines the clock; None when nobody knows.
    """

    system: str
    cpu_count: int
    cpu_pct: float
    memory_total_mb: int
    memory_available_mb: int
    memory_used_pct: float
    clock_error_ms: float | None


def measure(options: Options, context: Context) -> Facts:
    """Takes one second: a CPU reading is a difference, and psutil's first one is always 0."""
    del options
    context.say("CPU and memory of this machine")
    psutil.cpu_percent()
    context.wait(_CPU_SAMPLE_S)
    cpu_pct = psutil.cpu_percent()
    memory = psutil.virtual_memory()
    clock = _clock(context)
    count = psutil.cpu_count() or 1
    mebibyte = 1024 * 1024
    return Facts(
        system=f"{platform.system()} {platform.release()}",
        cpu_count=count,
        cpu_pct=cpu_pct,
        memory_total_mb=memory.total // mebibyte,
        memory_available_mb=memory.available // mebibyte,
        memory_used_pct=memory.percent,
        clock_error_ms=clock.max_error_ms,
        evidence={
            "cpu_pct": f"{cpu_pct:.0f} % of {count} processor(s) in use over {_CPU_SAMPLE_S:g} s.",
            "memory_used_pct": f"{memory.percent:.0f} % in use, {memory.available // mebibyte} MiB available.",
            "clock_error_ms": clock.words,
        },
    )


@dataclass(frozen=True)
class Clock:
    """What the kernel knows about its clock's error; `max_error_ms` is None where it knows nothing."""

    max_error_ms: float | None
    words: str


def _clock(context: Context) -> Clock:
    """A time server has the last word: a kernel that was told the wrong time is as sure of it as of the right one."""
    asked = context.facts_of(ntp.Facts)
    if asked is not None and asked.error_ms is not None and asked.offset_ms is not None:
        words = f"The clock is {abs(asked.offset_ms):.0f} ms off, at most {asked.error_ms:.0f} ms, by a time server."
        return Clock(asked.error_ms, words)
    return kernel_clock()


class _Timex(ctypes.Structure):
    """The head of struct timex, adjtimex(2); the rest is padding larger than any version of it."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    ]


_STA_UNSYNC = 0x0040


def kernel_clock() -> Clock:
    """Ask the Linux kernel, which NTP clients keep informed (adjtimex(2) with modes 0 only reads)."""
    undisciplined = "Nothing disciplines this clock, so its error is not known; switch on NTP to know it."
    timex = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if state < 0 or timex.status & _STA_UNSYNC:
        return Clock(None, undisciplined)
    max_error_ms = timex.maxerror / 1000
    return Clock(max_error_ms, f"The clock is disciplined and at most {max_error_ms:.0f} ms off.")


PROBE = Probe("host", Options, Facts, measure, uses=("ntp",), local=True)
