"""The rules that hold one report against itself: each finds what it is for, and honest old reports have none of it."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.consistency import contradictions, read
from tests.saved import DATA

Document = dict[str, Any]
READY = read(DATA / "reports" / "states.ready.go-native.json.gz")
ELSEWHERE = read(DATA / "reports" / "states.targets-outside-networks.go-native.json.gz")


def facts(document: Document, probe: str) -> Document:
    measured: Document = next(m["facts"] for m in document["measurements"] if m["probe"] == probe)
    return measured


def verdict(document: Document, id_: str) -> Document:
    judged: Document = next(v for v in document["verdicts"] if v["id"] == id_)
    return judged


# What a report says -> (which report, the edit, a part of the sentence).
CASES: dict[str, tuple[Document, Callable[[Document], object], str]] = {
    "a private address is seen from outside": (
        READY,
        lambda d: facts(d, "signalling").update(public_address="192.168.1.10"),
        "signalling is seen as 192.168.1.10, which is a private address",
    ),
    "a link behind a carrier is seen by its own address": (
        READY,
        lambda d: d["links"][0].update(public_address="100.64.3.4"),
        "the link is seen as 100.64.3.4",
    ),
    "two probes see two addresses": (
        READY,
        lambda d: facts(d, "nat").update(public_address="203.0.113.9"),
        "several public addresses",
    ),
    "the edge lets no SIP out, and a server answers": (
        READY,
        lambda d: verdict(d, "alg.absent").update(reason="What leaves: its edge lets no SIP out."),
        "alg.absent says that the edge lets no SIP out",
    ),
    "the signalling port is blocked, and every server answers": (
        READY,
        lambda d: facts(d, "firewall_rtp").update(blocked=[{"first": 5000, "last": 5100}]),
        "ports 5000-5100 are called blocked",
    ),
    "jitter of a wrong server": (
        ELSEWHERE,
        lambda d: verdict(d, "media.jitter").update(outcome="pass", reason="198.51.100.53 answered 50 of 50 pings."),
        "media.jitter passes, and no name leads",
    ),
    "no ALG, and changed answers": (
        READY,
        lambda d: [
            verdict(d, id_).update(outcome=outcome)
            for id_, outcome in (("alg.absent", "pass"), ("alg.answers-unchanged", "warn"))
        ],
        "alg.absent passes beside",
    ),
    "a large OPTIONS is answered by nobody": (
        READY,
        lambda d: facts(d, "signalling").update(any_server_answers=False),
        "a server answered a large OPTIONS",
    ),
    "one NAT with two private hops": (
        READY,
        lambda d: facts(d, "nat").update(hops_before_public=["192.168.1.1", "10.0.0.1"]),
        "nat.single passes with 2 private hops",
    ),
    "a round trip below zero": (
        READY,
        lambda d: facts(d, "signalling").update(slowest_server_rtt_ms=-49.8),
        "signalling.slowest_server_rtt_ms is -49.8 ms",
    ),
    "more than all was lost": (READY, lambda d: facts(d, "media").update(loss_up_pct=130.0), "loss_up_pct is 130.0 %"),
    "more came back than was sent": (
        READY,
        lambda d: facts(d, "media").update(sent=10, received=11),
        "11 packets came back of 10",
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_a_report_that_contradicts_itself_is_found(what: str) -> None:
    honest, edit, sentence = CASES[what]
    document = copy.deepcopy(honest)
    edit(document)
    found = contradictions(document)
    assert any(sentence in line for line in found), found


@pytest.mark.parametrize("path", sorted((DATA / "reports").glob("*.gz")), ids=lambda path: path.name)
def test_honest_reports_of_sites_without_an_alg_hold_together(path: Any) -> None:
    assert contradictions(read(path)) == []
