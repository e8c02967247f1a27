"""Watching: at even times, never two at once, heard by systemd and by a command, whatever that does."""

import socket
import threading
import time
from pathlib import Path

import pytest

from gosip_check.health.notify import notify, watchdog_s
from gosip_check.health.watch import repeat, tell
from tests.saved import here


@pytest.mark.waits
def test_runs_begin_at_even_times_and_never_overlap() -> None:
    """Every fifth run takes more than two intervals: it costs those times, and moves no other."""
    begun, stop, start_s = [], threading.Event(), time.monotonic()

    def check() -> None:
        begun.append(time.monotonic() - start_s)
        if len(begun) % 5 == 0:
            stop.wait(0.25)
        if len(begun) == 12:
            stop.set()

    repeat(check, 0.1, 0.0, stop, lambda: 0.0)
    slots = [round(at / 0.1) for at in begun]
    assert slots == sorted(set(slots))
    assert slots[5] - slots[4] >= 3


@pytest.mark.waits
def test_jitter_is_added_to_an_even_time() -> None:
    begun, stop, draws = [], threading.Event(), iter([0.9, 0.0, 0.5, 0.0])
    start_s = time.monotonic()

    def check() -> None:
        begun.append(time.monotonic() - start_s)
        if len(begun) == 4:
            stop.set()

    repeat(check, 0.2, 0.1, stop, lambda: next(draws))
    assert all(at >= due for at, due in zip(begun, (0.09, 0.2, 0.45, 0.6), strict=True))


def test_an_interval_longer_than_any_clock_can_wait_is_waited_for_in_parts() -> None:
    stop, begun = threading.Event(), threading.Event()
    draws = iter([0.0, 0.0])
    thread = threading.Thread(target=repeat, args=(begun.set, 1e12, 0.0, stop, lambda: next(draws)), daemon=True)
    thread.start()
    assert begun.wait(5)
    thread.join(0.2)
    assert thread.is_alive()  # it waits, and has not ended with an OverflowError
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        assert watchdog_s() == 1.0
        stop = threading.Event()
        repeat(stop.set, 0.05, 0.0, stop, lambda: 0.0)
        sock.setblocking(False)
        heard = []
        try:
            while True:
                heard.append(sock.recv(4096).decode())
        except BlockingIOError:
            pass
    assert heard[0] == "READY=1"
    assert "WATCHDOG=1" in heard
    assert heard[-1] == "STOPPING=1"
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_s() is None
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")  # nobody listens, and nothing happens


@pytest.mark.waits
def test_a_command_hears_of_a_change_without_a_shell(tmp_path: Path) -> None:
    out, stop = tmp_path / "out", threading.Event()
    assert tell(["sh", "-c", f"cat > {out}"], ["a; touch x", "$(b)"], stop) is None
    assert out.read_text() == "a; touch x\n$(b)\n"
    assert tell(["false"], ["x"], stop) == "false: ended with exit code 1."
    assert tell(["/nowhere/x"], ["x"], stop) == "/nowhere/x: cannot be run: No such file or directory."
    assert tell(["true"], ["x" * 1_000_000], stop) is None  # it need not read


HANGS = "trap '' TERM; sleep 1000 & echo $! > {0}.tmp; echo $$ >> {0}.tmp; mv {0}.tmp {0}; wait; wait"


def gone(pid: int) -> bool:
    """Ended; whether its parent has taken note of it does not matter."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.waits
def test_a_command_that_hangs_ends_with_the_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its children, though it heeds no SIGTERM; and systemd hears meanwhile that the watch lives."""
    pids, stop, found = tmp_path / "pids", threading.Event(), []
    monkeypatch.setattr("gosip_check.health.watch._COMMAND_GRACE_S", 0.05)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "n"))
        sock.settimeout(30)
        command = ["sh", "-c", HANGS.format(pids)]
        telling = threading.Thread(target=lambda: found.append(tell(command, ["x"], stop, 600)))
        telling.start()
        assert sock.recv(100) == b"WATCHDOG=1"
        while not pids.exists():
            assert sock.recv(100) == b"WATCHDOG=1"  # again and again
        stop.set()
        telling.join(30)
    assert found == ["sh: was stopped with the watch."]
    give_up_s = time.monotonic() + 30
    for pid in map(int, pids.read_text().split()):
        while not gone(pid):
            assert time.monotonic() < give_up_s
    assert (
        tell(["sleep", "1000"], ["x"], threading.Event(), 0.01) == "sleep: did not end within 0.01 s and was stopped."
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--every", "5"], "--every '5': a time such as 30s, 5m or 1h would be right, and 1s at least."),
        (["--every", "1s", "--jitter", "2s"], "must be shorter than --every"),
        (["--listen", "x"], "PORT or ADDRESS:PORT would be right"),
        (["--exec", "'"], "--exec: No closing quotation."),
        (["--prometheus", "/"], "--prometheus /: is a folder; name a file."),
        (["--skip", "nosuch*"], "--skip 'nosuch*' matches nothing; there are dns.srv-answers, "),
    ],
)
def test_wrong_usage_of_watch(arguments: list[str], words: str, tmp_path: Path) -> None:
    code, printed = here("watch", "--demo", "ready", "--history", tmp_path / "h", *arguments)
    assert code == 2
    assert words in printed
