"""The whole look for a SIP ALG and its light form, against servers on loopback."""

import time
from dataclasses import replace
from typing import Any

import pytest

from gosip_check.probes.alg import rewriting, via_pair
from gosip_check.probes.alg.rewriting import PROBE, Facts, Options, measure
from gosip_check.probes.probe import Turns
from gosip_check.servers.endpoint import Answers, Peer
from gosip_check.wire import sip
from tests.unit.far_ends import Handle, reply, sip_server
from tests.unit.probes.sip.test_signalling import context_with, target

pytestmark = pytest.mark.waits


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(via_pair, "_TIMEOUT_S", 0.4)
    monkeypatch.setattr(via_pair, "_PAUSE_S", 0.1)


def look(handle: Handle, **how: Any) -> tuple[Facts, list[sip.Request]]:
    """What is seen of one server that answers so, and what it was asked."""
    asked: list[sip.Request] = []

    def noted(request: sip.Request, peer: Peer) -> Answers:
        asked.append(request)
        return handle(request, peer)

    with sip_server(noted) as server:
        options = Options(domain="trunk.example", transport="udp", port=server.port, networks=["127.0.0.0/8"], **how)
        facts = measure(options, replace(context_with(target(server.address, server.port)), turns=Turns(0.3)))
    return facts, asked


def other_call_id(request: sip.Request, peer: Peer) -> Answers:
    return reply(request, peer).replace(b"Call-ID: ", b"Call-ID: other-")


def test_the_light_form_asks_two_politely_and_calls_a_clean_look_no_more_than_that() -> None:
    started_s = time.monotonic()
    facts, asked = look(reply, answers_only=True)
    assert time.monotonic() - started_s >= 0.3
    assert [request.vias[0].host for request in asked] == ["127.0.0.1", "probe.invalid"]
    assert (facts.asked, facts.answered, facts.rewriting_seen, facts.alg_found) == (2, 2, False, None)
    assert {seen.method: seen.found for seen in facts.looks} == {"paired Via": False, "echo": False}
    assert "brought back unchanged" in facts.evidence["rewriting_seen"]
    assert facts.evidence["alg_found"] == "Only the servers' answers were looked at, and not what leaves the site."


def test_the_light_form_does_not_ask_a_silent_server_again() -> None:
    facts, asked = look(lambda request, peer: None, answers_only=True)
    assert len({request.call_id for request in asked}) == 1
    assert (facts.asked, facts.answered, facts.rewriting_seen) == (1, 0, None)


@pytest.mark.parametrize("answers_only", [True, False])
def test_proof_counts_when_it_is_seen_twice(answers_only: bool) -> None:
    facts, asked = look(other_call_id, answers_only=answers_only)
    assert (facts.rewriting_seen, facts.alg_found) == (True, None if answers_only else True)
    assert (facts.message, [change.where for change in facts.changes]) == ("reply", ["Call-ID"])
    assert len(asked) == (4 if answers_only else 5)


@pytest.mark.parametrize("answers_only", [True, False])
def test_what_is_seen_once_and_not_again_is_undecided(answers_only: bool) -> None:
    answered: list[bool] = []

    def handle(request: sip.Request, peer: Peer) -> Answers:
        answered.append(True)
        return other_call_id(request, peer) if len(answered) == 1 else reply(request, peer)

    facts, _ = look(handle, answers_only=answers_only)
    assert (facts.rewriting_seen, facts.alg_found, facts.changes) == (None, None, [])
    assert "Seen once and not again" in facts.evidence["rewriting_seen"]


def test_the_whole_look_asks_for_diverted_answers_as_well() -> None:
    facts, asked = look(reply)
    assert len(asked) == 3
    assert (facts.asked, facts.answered, facts.rewriting_seen, facts.alg_found) == (3, 3, False, None)
    assert [seen.method for seen in facts.looks] == ["quotes", "paired Via", "echo"]


def test_a_measurement_says_which_form_it_was() -> None:
    options = Options(domain="trunk.example", transport="udp", port=5060, networks=[])
    assert PROBE.subject(options) == "SIP ALG on the way to trunk.example (5060/UDP)"
    light = Options(domain="trunk.example", transport="tcp", port=5060, networks=[], answers_only=True)
    assert PROBE.subject(light) == "what SIP answers over TCP bring back from trunk.example"
    assert rewriting.measure(light, context_with()).rewriting_seen is None
