"""What a run may leave at the provider is the last line, however it ends."""

import io
import signal

import pytest
from rich.console import Console

from gosip_check.cli.carry_out import saying_what_remains, stop_signals
from gosip_check.cli.exits import ToolFailed

REMAINS = "This computer may still be registered until 14:05:10."


def console() -> Console:
    return Console(file=io.StringIO(), width=20, color_system=None)


def test_it_comes_last_and_in_one_line() -> None:
    shown, remains = console(), list[str]()
    with saying_what_remains(remains, shown):
        shown.print("READY")
        remains.append(REMAINS)
    assert isinstance(shown.file, io.StringIO)
    assert shown.file.getvalue() == f"READY\n{REMAINS}\n"


def test_nothing_is_said_where_nothing_remains() -> None:
    shown = console()
    with saying_what_remains([], shown):
        pass
    assert isinstance(shown.file, io.StringIO)
    assert shown.file.getvalue() == ""


@pytest.mark.parametrize(
    ("error", "words"),
    [(KeyboardInterrupt(), "Stopped."), (ToolFailed("It cannot be written."), "It cannot be written.")],
)
def test_it_ends_the_sentence_of_a_failure(error: BaseException, words: str) -> None:
    with pytest.raises(ToolFailed) as caught, saying_what_remains([REMAINS], console()):
        raise error
    assert caught.value.message == f"{words} {REMAINS}"


def test_a_crash_and_a_closed_terminal_say_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BrokenPipeError), saying_what_remains([REMAINS], console()):
        raise BrokenPipeError
    assert capsys.readouterr().err == f"{REMAINS}\n"


@pytest.mark.parametrize("by_nohup", [True, False])
def test_a_closed_terminal_ends_nothing_that_nohup_has_begun(monkeypatch: pytest.MonkeyPatch, by_nohup: bool) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_IGN if by_nohup else signal.SIG_DFL)
    assert (signal.SIGHUP in stop_signals()) is not by_nohup
