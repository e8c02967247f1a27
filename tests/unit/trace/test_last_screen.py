"""The last screen of a trace at 80 columns: of a good, a bad and a cut capture, within its lines and said once."""

import pytest

from gosip_check.records import Equipment, Form
from gosip_check.report.last_screen import ROOM
from gosip_check.trace.reading import CUT
from tests.screens import measured_of
from tests.traces import traced
from tests.unit.trace.calls import Voice, bad_call, call, shortened

FREEPBX = Form(pbx=Equipment(vendor="Sangoma", model="FreePBX 16"))
CAPTURES = {
    "good": (call(), "NOT DECIDED"),  # nobody called in, and nothing was renewed meanwhile
    "bad": (bad_call(), "NOT READY"),
    "cut": (shortened(call(), 200), "NOT DECIDED"),
}


@pytest.mark.parametrize("form", [None, FREEPBX], ids=["no form", "form"])
@pytest.mark.parametrize("name", CAPTURES)
def test_it_is_short_and_says_nothing_twice(name: str, form: Form | None) -> None:
    content, word = CAPTURES[name]
    shown = measured_of(traced(content=content, form=form))
    assert len(shown.lines) <= ROOM, "\n".join(shown.lines)
    assert max(map(len, shown.lines)) <= 80
    assert shown.twice == []
    assert shown.lines[0].startswith(f" {word} ")


def test_what_a_capture_cut_off_is_the_reason_and_not_that_nobody_said_it() -> None:
    lines = measured_of(traced(content=CAPTURES["cut"][0])).lines
    text = " ".join(" ".join(lines).split())
    assert CUT in text
    assert "To and From of REGISTER, the answer" in text  # names of headers keep their letters
    assert "No REGISTER of the PBX was seen" not in text


def test_the_settings_of_the_pbx_on_the_form_stand_behind_what_is_to_be_reached() -> None:
    report = traced(content=bad_call(), form=FREEPBX)
    (codec,) = [verdict for verdict in report.verdicts if verdict.id == "pbx.codec-alaw"]
    assert codec.steps[0].startswith("Put G.711 A-law (PCMA) first")
    assert codec.steps[1].startswith("On FreePBX: tick alaw alone")


@pytest.mark.parametrize(("packets", "outcome"), [(400, "pass"), (25, "unknown")])
def test_sound_that_stops_at_once_is_not_sound_both_ways(packets: int, outcome: str) -> None:
    report = traced(content=call(up=Voice(ssrc=1, packets=packets), down=Voice(ssrc=2)))
    (verdict,) = [each for each in report.verdicts if each.id == "pbx.rtp-both-ways"]
    assert verdict.outcome.value == outcome, verdict.reason
