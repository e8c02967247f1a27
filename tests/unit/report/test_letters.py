"""`report text`: every state and reader against a golden file; and nothing in a report can pass for a line of ours.

Where a change is meant: `GOSIP_WRITE_GOLDEN=1 python -m pytest tests/unit/report/test_letters.py`, and read it.
"""

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gosip_check.cli.report_text import READERS as OFFERED
from gosip_check.records import Equipment, Form, InternetLine, LinkReport, Readiness, Report
from gosip_check.report.letters import MOST_LINES, READERS, WIDTH, letter
from gosip_check.report.load import parse
from gosip_check.report.text import visible
from tests.saved import demo, here
from tests.screens import kept, names
from tests.traces import traced
from tests.unit.records import report, verdict

GOLDEN = Path(__file__).parents[2] / "data" / "letters"
DEMOS = {"demo-ready": "ready", "demo-loss": "loss"}
STATES = [*names(), *DEMOS, "pbx-trace"]
ADDRESS = "192.88.99.2"


def state(name: str) -> Report:
    if name in DEMOS:
        return parse(json.dumps(demo(DEMOS[name])).encode(), name)
    return traced() if name == "pbx-trace" else kept(name)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", STATES)
def test_the_text_of_every_state_for_every_reader(name: str, reader: str) -> None:
    text, golden = letter(state(name), reader), GOLDEN / f"{name}.{reader}.txt"
    if os.environ.get("GOSIP_WRITE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()
    assert text.count("\n") <= MOST_LINES
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "<" not in text
    assert state(name).id in text


def test_no_golden_file_is_left_of_a_state_that_is_gone() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}.{reader}.txt" for name in STATES for reader in READERS}


def test_the_command_offers_the_readers_and_prints_the_text() -> None:
    assert tuple(READERS) == OFFERED
    assert here("report", "text", "gone.json", "--for", "provider")[0] == 2
    assert here("report", "text", "gone.json", "--for", "nobody")[0] == 2


def text_for(reader: str, *verdicts: object, **changes: object) -> str:
    return letter(report(*verdicts, **changes), reader)  # type: ignore[arg-type]


def with_address(seen: str | None, fixed: str = "", own: bool | None = None) -> str:
    link = LinkReport("Internet-1", "192.168.1.10", "eth0", seen, None, Readiness.READY)
    facts = {"public_address_is_the_providers": own}
    form = Form(internet_1=InternetLine(fixed_address=fixed))
    said = text_for("provider", verdict(id="link.go-internet", facts=facts), links=[link], form=form)
    return " ".join(re.findall(r"^(?:Please|Public)[^\n]*(?:\n  [^ -][^\n]*)*", said, re.MULTILINE)).replace("\n ", "")


UNSEEN = "Please whitelist: not known yet: this check could not see the public address of Internet-1"
MAY_CHANGE = "Please whitelist: 192.88.99.2 (Internet-1; it may change: the form names no fixed address)"
OTHER = "Please whitelist: 192.88.99.2 (Internet-1: the form says 198.51.100.7; please ask which is right)"
FROM_THE_FORM = "Please whitelist: 192.88.99.2 (Internet-1: as on the form; this check could not see it)"


@pytest.mark.parametrize(
    ("seen", "fixed", "own", "says"),
    [
        (ADDRESS, "", False, MAY_CHANGE),
        (ADDRESS, ADDRESS, False, "Please whitelist: 192.88.99.2 (Internet-1: as on the form)"),
        (ADDRESS, "198.51.100.7", False, OTHER),
        (ADDRESS, "", True, "Public address: 192.88.99.2 (Internet-1), one of the provider's own"),
        (None, ADDRESS, None, FROM_THE_FORM),
        (None, "", None, UNSEEN),
        # What a SIP ALG wrote into an answer is no address that the provider could whitelist.
        ("192.168.1.10", "", False, UNSEEN),
        ("100.64.3.4", "", False, UNSEEN),
        ("garbage", "", False, UNSEEN),
    ],
)
def test_which_address_is_to_be_whitelisted(seen: str | None, fixed: str, own: bool | None, says: str) -> None:
    assert with_address(seen, fixed, own) == says


def test_a_demo_has_nothing_to_whitelist() -> None:
    assert "hitelist" not in letter(state("demo-ready"), "provider")
    assert "a demo, no site" in letter(state("demo-ready"), "customer")


def test_the_one_change_is_the_routers() -> None:
    """Another problem that stands first in the report is named after it."""
    line = verdict("fail", id="media.loss", group="media", headline="Packets are lost")
    alg = verdict("fail", id="alg.absent", group="alg", headline="SIP ALG is on", steps=["Switch it off."])
    form = Form(router=Equipment("MikroTik", "RB4011"))
    said = text_for("technician", line, alg, outcome=Readiness.NOT_READY, form=form).splitlines()
    assert "To change on the router (MikroTik RB4011): SIP ALG is on" in said
    assert "  - Switch it off." in said
    assert "Also to fix: Packets are lost" in said
    assert "To change: nothing that this check found" in text_for("technician", verdict())


def test_a_command_stays_in_one_line() -> None:
    steps = [f"In a terminal {'x' * pad}: `set system conntrack modules sip disable`." for pad in range(0, 60, 7)]
    said = text_for("technician", *(verdict("fail", id=f"alg.a{n}", steps=[s]) for n, s in enumerate(steps[:1])))
    assert "`set system conntrack modules sip disable`" in said
    for step in steps:
        said = text_for("technician", verdict("fail", id="alg.absent", steps=[step]))
        assert "`set system conntrack modules sip disable`" in said


OURS = re.compile(
    r"(READY|NOT READY|NOT DECIDED|SIP trunk|Customer|Product|Please whitelist|Public address|Checked|Result|Measured|"
    r"Report|To change|Why|It also explains|To fix|Also to fix|After the fix|Line|Call quality|Who can do it|And)\b"
)
HOSTILE = st.text(
    st.sampled_from("a \n\r\t\x1b\x85\u2028\u2029\u202e\u200b\ud800`<&{}:.-\u00a0\u3000") | st.characters(),
    max_size=500,
)


@given(HOSTILE, st.sampled_from(sorted(READERS)), st.sampled_from(["run", "pbx trace", "x\ny"]), st.integers(1, 5))
def test_nothing_hostile_breaks_a_line_or_passes_for_one(text: str, reader: str, command: str, count: int) -> None:
    lines = [LinkReport(f"{n}{text}", text, text, text, text, Readiness.NOT_READY) for n in range(count)]
    wrong = [
        verdict(
            outcome, id=f"{group}.a{n}", group=group, link=link.name, reason=text, headline=f"{n}{text}", hint=text,
            means=text, figure=text, steps=[text] * 9, decided_by={text: text} if n % 2 else {},
        )
        for n, link in enumerate(lines)
        for outcome, group in (("fail", "alg"), ("unknown", text), ("warn", "media"), ("pass", "media"))
    ]  # fmt: skip
    line = InternetLine(fixed_address=text)
    box = Equipment(text, text, text)
    form = Form(text, text, text, text, pbx=box, router=box, firewall=box, internet_1=line, internet_2=line)
    made = replace(
        report(*wrong, outcome=Readiness.NOT_READY, links=lines, form=form),
        command=command, company=text, site=text, id=f"R{text}",
    )  # fmt: skip
    said = letter(made, reader)
    assert said.endswith("\n")
    shown = said[:-1].split("\n")
    assert len(shown) <= MOST_LINES
    for each in shown:
        assert len(each) <= WIDTH
        assert visible(each) == each
        assert each == "" or each.startswith("  ") or OURS.match(each), each


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("run", "READY: your site is ready"),
        ("srv", "READY (srv only): the part that was checked is ready"),
        ("health", "READY (health only): the part that was checked is ready"),
        ("pbx trace", "READY (pbx trace only): the PBX is ready"),
        ("demo", "READY (a demo, no site): the emulated site is ready"),
    ],
)
def test_a_part_that_is_well_makes_no_site_ready(command: str, says: str) -> None:
    assert text_for("customer", verdict(), command=command).startswith(says)


@pytest.mark.parametrize("reader", READERS)
def test_a_report_without_verdicts_or_lines(reader: str) -> None:
    assert "NOT DECIDED" in letter(report(outcome=Readiness.INCONCLUSIVE, links=[]), reader)
