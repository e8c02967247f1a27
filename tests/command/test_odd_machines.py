"""A share of the table of commands and odd machines (tests/bench/bench_odd_machines.py), and what belongs to it."""

import os

import pytest

from tests.bench.bench_odd_machines import MACHINES, run
from tests.saved import tool


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces of its own")
@pytest.mark.parametrize(
    ("command", "machine", "code", "words"),
    [
        ("run", "no /proc", 3, "unknown host.cpu: This machine does not show /proc/stat"),
        ("run", "closed stdout, stderr, stdin", 3, ""),
        ("run", "16 descriptors", 3, "unknown host.cpu: This machine lets the program open too few files"),
        ("health --nagios", "full stdout", 3, "cannot write: No space left on device."),
        ("health", "128 MiB of memory", 1, "1 problem to fix; "),
        ("health", "full disk", 4, "the history cannot be used: database or disk is full."),
        (
            "health of a site",
            "no passwd entry",
            3,
            "This user has no home folder; XDG_STATE_HOME can name one instead.",
        ),
        ("watch", "16 descriptors", 4, "too few files at once; `ulimit -n 256` allows more."),
        ("schedule show", "no passwd entry", 4, "This user has no home folder"),
        ("report judge", "read-only disk", 4, "cannot be written: Read-only file system."),
        ("report show", "C locale", 0, "READY   GO native SIP trunk"),
    ],
)
def test_an_odd_machine_gets_a_sentence_and_no_traceback(command: str, machine: str, code: int, words: str) -> None:
    ended = run(command, MACHINES[machine])
    assert ended.faults == []
    assert (ended.code, words in ended.printed) == (code, True), ended.printed


def test_a_run_on_a_full_disk_keeps_its_result_on_standard_output() -> None:
    done = tool("demo", "--skip", "[!d]*", "--json", "/dev/full")
    assert done.returncode == 4
    assert '"schema": "gosip-check/report/1"' in done.stdout or '"schema":"gosip-check/report/1"' in done.stdout
    assert "--json /dev/full: cannot be written: No space left on device." in done.stderr
