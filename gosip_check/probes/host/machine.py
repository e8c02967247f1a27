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
    """clock_error_ms: by how much the clock is off. Nobody knows it to the millisecond, so it is None and `between` has
    its bounds: by a time server of the checklist where one tells, else by what the kernel was told. None without
    bounds: nobody knows anything.
    """

    system: str
    cpu_count: int
    cpu_pct: float
    memory_total_mb: int
    memory_available_mb: int
    memory_used_pct: float
    clock_error_ms: float | None
    between: dict[str, tuple[float | None, float | None]] = {}


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
        clock_error_ms=None,
        between={} if clock.bounds_ms is None else {"clock_error_ms": clock.bounds_ms},
        evidence={
            "cpu_pct": f"{cpu_pct:.0f} % of {count} processor(s) in use over {_CPU_SAMPLE_S:g} s.",
            "memory_used_pct": f"{memory.percent:.0f} % in use, {memory.available // mebibyte} MiB available.",
            "clock_error_ms": clock.words,
        },
    )


@dataclass(frozen=True)
class Clock:
    """By how much the clock is off, at least and at most; `bounds_ms` is None where nothing is known."""

    bounds_ms: tuple[float, float] | None
    words: str


def _clock(context: Context) -> Clock:
    """A time server has the last word: a kernel that was given the wrong time is as sure of it as of the right one."""
    asked = context.facts_of(ntp.Facts)
    if asked is not None and asked.error_ms is not None and asked.offset_ms is not None:
        offset_ms, most_ms = abs(asked.offset_ms), asked.error_ms
        least_ms = max(0.0, offset_ms - (most_ms - offset_ms))  # the rest is what the server and the way may add
        words = (
            f"The clock is {offset_ms:.0f} ms off by a time server: at least {least_ms:.0f}, at most {most_ms:.0f} ms."
        )
        return Clock((least_ms, most_ms), words)
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
    not_set = "Nothing sets this clock, so its error is not known; switch on NTP to know it."
    timex = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if state < 0 or timex.status & _STA_UNSYNC:
        return Clock(None, not_set)
    most_ms = timex.maxerror / 1000
    return Clock((0.0, most_ms), f"This clock is set by a time service, and at most {most_ms:.0f} ms off.")


# It looks for a second; the way to the servers needs none, and much waits for that, so that is looked at before.
PROBE = Probe("host", Options, Facts, measure, uses=("ntp", "path"), local=True)
