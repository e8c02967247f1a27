"""The live list: groups as they fall, what is measured now, and a list that stays; plain lines where no terminal is."""

import io
import threading

import pytest
from rich.console import Console

from gosip_check.cli.progress import LiveList, progress
from gosip_check.plan import about_s
from gosip_check.records import Settings
from gosip_check.run import Observer
from tests.unit.own_probes import LINK, go, plan
from tests.unit.records import requirement, verdict


def drawn(shown: LiveList, width: int = 80) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(shown.drawn())
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_group_is_shown_once_all_of_it_has_fallen() -> None:
    shown = LiveList(80)
    shown.begun("Internet-1", ["dns.a", "dns.b", "alg.absent"], 27.0)
    shown.judged(verdict(id="dns.a", group="dns", figure="2 sites"))
    shown.say("SRV records")
    first = drawn(shown)
    assert first[0].startswith("[....................] 0 of about 27 s   Internet-1")
    assert first[1] == "   ...     SRV records"
    shown.judged(verdict(id="dns.b", group="dns"))
    assert drawn(shown)[1] == "  pass     DNS      2/2  2 sites"
    shown.judged(verdict("fail", id="alg.absent", group="alg", headline="SIP ALG is on in 192.168.1.1"))
    shown.ended()
    assert drawn(shown) == [
        "[####################] 0 s   Internet-1",
        "  pass     DNS      2/2  2 sites",
        "  fail     SIP ALG  SIP ALG is on in 192.168.1.1",
    ]


def test_every_line_has_its_list_and_none_is_wider_than_the_terminal() -> None:
    shown = LiveList(60)
    for link in ("Internet-1", "Internet-2"):
        shown.begun(link, ["dns.a"], 5.0)
        shown.judged(verdict("warn", id="dns.a", group="dns", link=link, headline="so many words " * 9))
    shown.say("\x1b[31m")
    lines = drawn(shown, 60)
    assert [line.split()[-1] for line in lines if line.startswith("[")] == ["Internet-1", "Internet-2"]
    assert max(map(len, lines)) <= 60
    assert "\x1b" not in "".join(lines)


def test_without_a_terminal_each_verdict_is_a_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=False) as observer:
        observer.judged(verdict("fail", id="a.b", reason="It was seen."))
    assert capsys.readouterr().err == "fail    a.b: It was seen.\n"
    with progress(quiet=True) as observer:
        observer.judged(verdict())
    assert capsys.readouterr().err == ""


def test_a_run_says_what_begins() -> None:
    begun: list[str] = []
    go(plan(), threading.Event(), Observer(begun=lambda link, ids, seconds: begun.append(link)))
    assert begun == [LINK.name]


def test_how_long_it_takes_follows_from_the_plan() -> None:
    """Media runs as long as it was asked to, and alone."""
    media = requirement(id="media.loss", probe="media")
    settings = (Settings(reflector="192.0.2.1", duration_s=seconds) for seconds in (5, 20))
    short, long = (about_s(plan(media, settings=asked)) for asked in settings)
    assert long - short == 15
    assert about_s(plan(media, requirement(id="host.cpu", probe="host"))) > about_s(plan(media))
