"""Forgeries of a report that somebody made to fit: what was measured is edited, and the tool judges it again.

Every verdict, title and reason then follows from the measurements, and only those can give the forger away. Each begins
with a report that the lab made: a whole run with a far end, in one of the states of tests/data/screens.
"""

import functools
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from gosip_check.checklist import load
from gosip_check.probes import PROBES
from gosip_check.rejudge import rejudge
from gosip_check.report.load import parse
from gosip_check.report.to_json import to_json
from gosip_check.run import report_id
from tests.saved import DATA, demo

Document = dict[str, Any]


@dataclass(frozen=True)
class Forgery:
    """refused: a part of the sentence about it. accepted: why the file holds no contradiction, where it holds none."""

    name: str
    state: str
    forge: Callable[[Document], object]
    refused: str = ""
    accepted: str = ""


def forged(forgery: Forgery) -> bytes:
    """The report as it would be handed in."""
    document = honest(forgery.state)
    forgery.forge(document)
    return _judged(document)


def honest(state: str) -> Document:
    """The report as a run of today would have written it."""
    document: Document = json.loads(_recorded(state))
    return document


@functools.cache
def _recorded(state: str) -> bytes:
    """Options that are newer than the recording have their defaults."""
    document = json.loads(gzip.decompress((DATA / f"screens/{state}.json.gz").read_bytes()))
    newer = {"stun": [], "networks": load(document["checklist"]["id"]).trunk.networks}
    for measurement in document["measurements"]:
        for field in msgspec.structs.fields(PROBES[measurement["probe"]].options):
            value = newer.get(field.name, field.default)
            if value is not msgspec.NODEFAULT:
                measurement["options"].setdefault(field.name, msgspec.to_builtins(value))
    return _judged(document)


def _judged(document: Document) -> bytes:
    report = parse(json.dumps(document).encode(), "forged.json")
    return to_json(rejudge(report, load(report.checklist.id))).encode()


def of(document: Document, probe: str) -> Document:
    """The last measurement of that probe: of two, the one that looks at all."""
    found: Document = [each for each in document["measurements"] if each["probe"] == probe][-1]
    return found


def facts(document: Document, probe: str) -> Document:
    """What it brought."""
    found: Document = of(document, probe)["facts"]
    return found


def _of_a_demo(document: Document) -> None:
    """With the provider's addresses, from a line that has one of its own."""
    text = json.dumps(demo()).replace("127.22.184.", "217.22.184.").replace("127.22.185.", "217.22.185.")
    document.clear()
    document.update(json.loads(text), command="run")
    document["links"][0]["source"] = "192.168.1.10"


def _all_targets(document: Document, address: str) -> None:
    srv = facts(document, "srv")
    for targets in [srv["targets"], *(answer["targets"] for answer in srv["answers"])]:
        for target in targets:
            target["addresses"] = [address]


def _moved(document: Document, days: int, *, measurements: bool) -> None:
    """By so many days, with an id that fits."""
    started = datetime.fromisoformat(document["started"]) + timedelta(days=days)
    document.update(started=started.isoformat(), id=report_id(started))
    for each in document["measurements"] if measurements else []:
        each["started"] = (datetime.fromisoformat(each["started"]) + timedelta(days=days)).isoformat()


def _without_loss(document: Document, *, counts: bool) -> None:
    media = facts(document, "media")
    media.update(dict.fromkeys([name for name in media if "loss" in name and name.endswith("_pct")], 0.0))
    media.update(delivered_up_pct=100.0, delivered_pct=100.0, lossy=False, between={})
    if counts:
        media.update(lost_up=0, lost_down=0, received=media["sent"])


def _taken_from(document: Document, probe: str, state: str) -> None:
    """All measurements of that probe come from another report, whole, but for when they were made."""
    others = [each for each in honest(state)["measurements"] if each["probe"] == probe]
    mine = [each for each in document["measurements"] if each["probe"] == probe]
    for each, other in zip(mine, others, strict=True):
        kept = {name: each[name] for name in ("id", "link", "started")}
        each.clear()
        each.update(other, **kept)


def _of_more_channels(document: Document) -> None:
    for each in document["measurements"]:
        if "channels" in (each["options"] or {}):
            each["options"]["channels"] = 30


FORGERIES = [
    Forgery("a demo, with the provider's addresses", "ready", _of_a_demo, "left out this machine's own resolvers"),
    Forgery("targets on loopback", "ready", lambda d: _all_targets(d, "127.0.0.5"), "and 127.0.0.5 does not"),
    Forgery("targets outside the networks", "ready", lambda d: _all_targets(d, "198.51.100.7"), "198.51.100.7 does"),
    Forgery(
        "targets inside, in what is believed alone", "wrong-srv",
        lambda d: facts(d, "srv").update(targets_in_networks=True), "says that every target lies in the provider's"),
    Forgery(
        "a server on loopback", "ready",
        lambda d: facts(d, "signalling")["servers"][0].update(address="127.0.0.9"), "an answer from 127.0.0.9"),
    Forgery(
        "a resolver on another port", "ready",
        lambda d: facts(d, "srv")["answers"][0].update(resolver="192.0.2.53:5353"), "192.0.2.53:5353, which was not"),
    Forgery("no time", "ready", lambda d: d.update(elapsed_s=0), "The whole check took no time"),
    Forgery("a short check", "ready", lambda d: d.update(elapsed_s=3.0), "longer than the whole check (3 s)"),
    Forgery("years off", "ready", lambda d: _moved(d, 800, measurements=False), "not during this check"),
    Forgery("a year of no clock", "ready", lambda d: _moved(d, 90_000, measurements=True), "no clock of Linux"),
    Forgery("an id of its own", "ready", lambda d: d.update(id="01ARZ3NDEKTSV4RRFFQ69G5FAV"), "says another time"),
    Forgery(
        "one measurement more", "ready",
        lambda d: d["measurements"].append({**of(d, "srv"), "id": "m99"}), "srv was measured 2 times"),
    Forgery(
        "another public address", "ready",
        lambda d: d["links"][0].update(public_address="203.0.113.9"), "public address is 203.0.113.9"),
    Forgery("no loss, and the counts left", "lossy", lambda d: _without_loss(d, counts=False), "loss_up_pct does"),
    Forgery("no loss, and each channel's left", "lossy", lambda d: _without_loss(d, counts=True), "lost_up does not"),
    Forgery("a better MOS", "lossy", lambda d: facts(d, "media").update(mos=4.3, r_factor=91.0), "mos does not"),
    Forgery(
        "less jitter", "lossy", lambda d: facts(d, "media").update(worst_jitter_ms=0.001), "worst_jitter_ms does not"),
    Forgery("more channels than were tried", "ready", _of_more_channels, "channels does not fit"),
    Forgery(
        "shorter than it says", "ready", lambda d: of(d, "media")["options"].update(duration_s=60.0), "duration_s do"),
    Forgery(
        "no SIP ALG", "sip-alg", lambda d: facts(d, "sip_rewriting").update(alg_found=False, changes=[]), "alg_found"),
    Forgery(
        "every server answers", "blocked-5060",
        lambda d: facts(d, "signalling").update(any_server_answers=True, every_server_answers=True),
        "every_server_answers does not"),
    Forgery("more servers", "ready", lambda d: facts(d, "signalling").update(servers_answering=3), "servers_answering"),
    Forgery(
        "quicker servers", "ready",
        lambda d: facts(d, "signalling").update(slowest_server_rtt_ms=0.01), "slowest_server_rtt_ms does not"),
    Forgery(
        "media leaves", "half-the-range",
        lambda d: facts(d, "firewall_rtp").update(rtp_leaves=True, blocked_ports=None), "rtp_leaves does not"),
    Forgery(
        "every port answers", "half-the-range",
        lambda d: facts(d, "port_range").update(every_port_answers=True), "every_port_answers does not"),
    Forgery(
        "large messages pass", "ready",
        lambda d: facts(d, "large_sip")["sizes"][4].update(answered=False), "all_sizes_answered does not"),
    Forgery("two mappings", "ready", lambda d: facts(d, "nat")["seen_by"][0].update(port=1), "one_mapping does not"),
    Forgery(
        "resolvers that agree", "ready",
        lambda d: facts(d, "srv")["answers"][1]["records"][0].update(port=5099), "resolvers_agree does not"),
    Forgery(
        "a shorter TTL", "ready", lambda d: facts(d, "srv").update(ttl_max_s=30), "ttl_max_s does not fit"),
    Forgery(
        "no loss, by echoes", "lossy-alone",
        lambda d: facts(d, "media")["between"].update(window15_loss_pct=[0.0, 0.4]), "window15_loss_pct does not"),
    Forgery(
        "bounds in the wrong order", "lossy-alone",
        lambda d: facts(d, "media")["between"].update(mos=[4.4, 1.0]), "mos does not fit"),
    Forgery(
        "a binding that lives longer", "ready",
        lambda d: facts(d, "binding_lifetime").update(outlives_reregistration=True, not_waited_s=[]), "outlives_rereg"),
    Forgery("more memory", "ready", lambda d: facts(d, "host").update(memory_used_pct=50.0), "memory_used_pct does"),
    Forgery(
        "the line of another site", "lossy", lambda d: _taken_from(d, "media", "ready"),
        accepted="What was measured stands there whole, and both sites have one address here."),
    Forgery(
        "the router of another site", "sip-alg", lambda d: _taken_from(d, "sip_rewriting", "ready"),
        accepted="What was measured stands there whole, and both sites have one address here."),
    Forgery(
        "200 days later", "ready", lambda d: _moved(d, 200, measurements=True),
        accepted="Every time was moved alike; `report check` prints the day."),
    Forgery(
        "another machine", "ready", lambda d: d["host"].update(name="another"),
        accepted="Nothing else names the machine; `report check` prints it."),
    Forgery(
        "another customer", "ready", lambda d: d["form"].update(company_name="Another Ltd"),
        accepted="The form holds what somebody wrote; `report form` may change it."),
]  # fmt: skip
