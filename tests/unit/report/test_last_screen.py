"""The last screen: of every state of a site as the lab brought it, within its bounds and said once; and its colours."""

import re

import pytest
from msgspec.structs import replace
from rich.style import Style

from gosip_check.records import ALL_LINKS, LinkReport, Outcome, Readiness
from gosip_check.report.last_screen import ROOM, ROOM_OF_SEVERAL_LINKS, screen
from gosip_check.report.styles import OF_OUTCOME, OF_READINESS
from gosip_check.report.summary import summary_of, title_of
from gosip_check.report.to_terminal import closing_line
from tests.screens import SAVED, kept, measured, names
from tests.unit.records import measurement, report, verdict

STATES = {
    "ready": ("READY", None),
    "sip-alg": ("NOT READY", "SIP ALG is on in 192.168.1.1"),
    "blocked-5060": ("NOT READY", "Port 5060/UDP is blocked at or right behind 192.168.1.1"),
    "unknown-line": ("NOT DECIDED", None),
    "half-the-range": ("NOT READY", "Media ports 32768-65535/UDP are blocked at or right behind 192.168.1.1"),
    "narrow": ("NOT READY", "Only 61"),
    "lossy": ("NOT READY", "Packets of calls are lost"),
    "no-dns": ("NOT READY", "This site's DNS does not find the trunk of GO"),
    "wrong-srv": ("NOT READY", "DNS leads to servers that are not GO's"),
    "cable-out": ("NOT DECIDED", "Internet-1 has no network towards the provider"),
    "two-lines": ("NOT READY", "Internet-1: SIP ALG is on in 192.168.1.1"),
    "ready-alone": ("READY", None),
    "narrow-alone": ("NOT READY", "The line does not carry all calls at once"),
    "lossy-alone": ("NOT READY", "Packets of calls are lost"),
    "no-echo-alone": ("NOT DECIDED", None),
    "wrong-password": ("NOT READY", "GO refuses the login. Tries left before the account locks: 2"),
}
"State of the site -> the banner, and what the first problem is called. `python -m tests.lab.screens --table`."


def test_every_state_is_kept() -> None:
    assert set(names()) == set(STATES)


@pytest.mark.parametrize("state", STATES)
def test_it_is_short_begins_with_the_cause_and_says_nothing_twice(state: str) -> None:
    word, title = STATES[state]
    found = measured(state)
    several = len(kept(state).links) > 1
    assert len(found.lines) <= (ROOM_OF_SEVERAL_LINKS if several else ROOM), "\n".join(found.lines)
    assert found.lines[0].startswith(f" {word} ")
    assert found.twice == []
    assert max(map(len, found.lines)) <= 80
    if title is not None:
        assert found.lines[4].startswith(f"1  {title}"), found.lines
        assert found.remedy_line is not None
        assert found.remedy_line <= 8


@pytest.mark.parametrize("width", [40, 60, 120])
@pytest.mark.parametrize("state", STATES)
def test_other_terminals_lose_nothing_of_the_first_problem(state: str, width: int) -> None:
    lines = measured(state, width).lines
    assert max(map(len, lines)) <= width
    title = STATES[state][1]
    assert title is None or title in " ".join(" ".join(lines).split())


@pytest.mark.parametrize(
    ("decides", "command"),
    [
        ("--reflector HOST", "gosip-check run --again --reflector HOST"),
        ("--again", "gosip-check run --again"),
        ("sudo sysctl -w a=b", "sudo sysctl -w a=b"),
    ],
)
def test_the_command_that_decides_what_is_open(decides: str, command: str) -> None:
    (gap,) = summary_of(report(verdict("unknown", decided_by={decides: "this"}))).gaps
    assert (gap.why, gap.command) == ("needs this", command)


def test_the_remedy_of_the_device_on_the_form_stands_there_whole() -> None:
    lines = [line.strip() for line in measured("sip-alg").lines]
    assert any("/ip firewall service-port set sip disabled=yes" in line for line in lines)


def test_one_cause_is_one_problem() -> None:
    """Port 5060 lies in the range of media, and both servers are behind it."""
    assert len(summary_of(kept("blocked-5060")).problems) == 1
    assert [v.id for v in kept("blocked-5060").verdicts if v.outcome is Outcome.FAIL] == [
        "firewall.signalling", "firewall.signalling-every-target", "firewall.rtp"]  # fmt: skip
    half = summary_of(kept("half-the-range"))
    assert [problem.id for problem in half.problems] == ["firewall.rtp"]


def test_the_quiet_line_is_one_line_and_names_the_problem() -> None:
    line = closing_line(kept("sip-alg"))
    assert line.startswith("NOT READY: 1 problem to fix: SIP ALG is on in 192.168.1.1 (")
    assert "\n" not in line


def shown(*verdicts: object, width: int = 80, **changes: object) -> str:
    made = report(*verdicts, **changes)  # type: ignore[arg-type]
    return "\n".join(text.plain for text in screen(summary_of(made), SAVED, width, several_links=len(made.links) > 1))


def test_only_required_checks_decide_and_are_counted() -> None:
    text = shown(
        verdict("unknown", id="a.a", reason="Nobody answers."),
        verdict("pass", id="a.b"),
        verdict("unknown", "should", id="a.c", title="Advised"),
        outcome=Readiness.INCONCLUSIVE,
    )
    assert "1 of 2 required checks could not be measured." in text
    assert "Not measured, not required: 1" in text
    assert "All 1 required checks passed" in shown(verdict())


def test_what_follows_from_a_cause_stands_under_it_and_has_no_advice() -> None:
    cause = verdict("fail", id="a.cause", headline="The cause", explains=["a.effect"], hint="Fix the cause.")
    effect = verdict("fail", id="a.effect", headline="The effect", hint="Fix the effect.", measurement="m2")
    text = shown(effect, cause, outcome=Readiness.NOT_READY)
    assert "1 problem to fix" in text
    assert text.index("1  The cause") < text.index("With it: The effect.")
    assert "Fix the effect." not in text
    other_line = [verdict("fail", id="a.effect", link="Internet-2"), cause]
    assert len(summary_of(report(*other_line)).problems) == 2
    passed = verdict("pass", id="a.cause", headline="The cause", explains=["a.effect"])
    assert [p.title for p in summary_of(report(effect, passed)).problems] == ["The effect"]


def test_a_warning_explains_no_failure() -> None:
    cause = verdict("warn", id="a.cause", explains=["a.effect"])
    assert [p.id for p in summary_of(report(cause, verdict("fail", id="a.effect"))).problems] == ["a.effect"]


def test_many_problems_are_counted() -> None:
    text = shown(*(verdict("fail", id=f"a.b{n}", headline=f"Problem number {n}") for n in range(30)))
    assert len(text.splitlines()) <= ROOM
    assert "1  Problem number 0" in text
    assert re.search(r"\+ 2\d more: --all", text)


def test_the_same_on_two_lines_is_one_problem() -> None:
    links = [LinkReport(name, None, None, None, None, Readiness.NOT_READY) for name in ("Internet-1", "Internet-2")]
    same = [verdict("fail", link=link.name, headline="The same") for link in links]
    assert "1 problem to fix" in shown(*same, links=links, outcome=Readiness.NOT_READY)
    assert "Internet-2: Other" in shown(
        *same, verdict("fail", id="a.b", link="Internet-2", headline="Other"), links=links
    )
    across = verdict("warn", "should", id="r.a", link=ALL_LINKS, headline="Across")
    assert "!  Across" in shown(across, links=links)


def test_a_missing_network_is_a_problem_only_for_what_needs_one() -> None:
    cut = [LinkReport("Internet-1", None, None, None, "Network is unreachable.", Readiness.READY)]
    assert "FIX THIS" not in shown(verdict(group="host"), links=cut)
    assert "no network" in shown(verdict(group="host"), verdict("skipped", id="a.b"), links=cut)


def test_an_old_report_has_the_wish_only() -> None:
    assert title_of(verdict("fail", title="All is well")) == "Not so: All is well"
    assert title_of(verdict("unknown", title="All is well")) == "All is well"
    assert title_of(verdict("fail", title="All is well", headline="It is on")) == "It is on"


def test_what_is_older_than_the_run_is_counted_under_the_outcome() -> None:
    older = replace(measurement({"ok": True}), taken_from="01M83H7ZADPWQWC30BDTR0ZED2")
    lines = shown(verdict(), measurements=[older, measurement({"ok": True})]).splitlines()
    assert lines[2].startswith("1 of 2 measurements are taken over from an earlier run;")
    assert "taken over" not in shown(verdict())


def test_what_is_for_information_is_marked_as_such() -> None:
    text = shown(
        verdict("warn", "info", id="a.i", headline="Info"), verdict("warn", "should", id="a.s", headline="Should")
    )
    assert text.index("!  Should") < text.index("i  Info")


# The 16 colours as terminals have them when nobody changed them: xterm 390 (XTerm-col.ad), GNOME Console 46, Tango 0.8.
PALETTES = {
    "xterm": "000000 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5 "
    "7f7f7f ff0000 00ff00 ffff00 5c5cff ff00ff 00ffff ffffff",
    "GNOME": "171421 c01c28 26a269 a2734c 12488b a347ba 2aa1b3 d0cfcc "
    "5e5c64 f66151 33d17a e9ad0c 2a7bde c061cb 33c7de ffffff",
    "Tango": "2e3436 cc0000 4e9a06 c4a000 3465a4 75507b 06989a d3d7cf "
    "555753 ef2929 8ae234 fce94f 729fcf ad7fa8 34e2e2 eeeeec",
}
LEAST_CONTRAST = 4.5


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.1."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("style", sorted({*OF_OUTCOME.values(), *OF_READINESS.values()} - {""}))
def test_words_of_a_state_can_be_read_on_any_background(palette: str, style: str) -> None:
    colours, pair = PALETTES[palette].split(), Style.parse(style)
    assert pair.color is not None
    assert pair.bgcolor is not None
    assert pair.color.number is not None
    assert pair.bgcolor.number is not None
    assert contrast(colours[pair.color.number], colours[pair.bgcolor.number]) >= LEAST_CONTRAST
    assert not (pair.bold and pair.color.number == 0)


def test_the_contrast_is_that_of_the_standard() -> None:
    assert contrast("000000", "ffffff") == pytest.approx(21)
    assert contrast("777777", "ffffff") == pytest.approx(4.48, abs=0.01)  # the example of WCAG that just fails


@pytest.mark.parametrize("state", STATES)
def test_everything_but_the_words_of_a_state_has_the_terminals_own_colours(state: str) -> None:
    made = kept(state)
    lines = screen(summary_of(made), SAVED, 80, several_links=len(made.links) > 1)
    styles = {str(span.style) for line in lines for span in line.spans} | {str(line.style) for line in lines}
    assert styles <= {"", "bold", *OF_READINESS.values()}
