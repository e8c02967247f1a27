"""Does the PBX find the trunk by SRV, take the best record, and follow a change of it? Reads its DNS questions."""

from dataclasses import dataclass
from typing import Literal, get_args

from gosip_check.heard import Heard, Lookup, Place, Transaction
from gosip_check.probes import probe
from gosip_check.probes.pbx.seen import Seen, facts_of, furthest, heard_by, unseen
from gosip_check.probes.probe import Context, Probe

Asked = Literal["srv", "address-only", "nothing"]
Order = Literal["best", "another-port", "worse", "elsewhere"]

_SWAPPED = "srv-swapped"
"The step in which a rehearsal changes the priorities. It lasts TTL and one granted registration."
_REASONS = ("a-silent", "a-503", "refuse-401-new", "refuse-401-same", "refuse-403")
"Steps from which on a PBX has a reason to try another site than the best."


class Options(probe.Options, frozen=True):
    """All from the trunk."""

    domain: str
    service: str
    transport: Literal["udp", "tcp"]


class Facts(probe.Facts, frozen=True):
    """Kinds of what was seen, best first (see the types)."""

    asked: Asked | None
    order: Order | None
    follows_change: bool | None


@dataclass(frozen=True)
class _Target:
    """One SRV record with the addresses of its target."""

    priority: int
    port: int
    addresses: frozenset[str]


def measure(options: Options, context: Context) -> Facts:
    """Takes no time and sends nothing."""
    heard = heard_by(context)
    srv_name = f"_{options.service}._{options.transport}.{options.domain}".lower()
    return facts_of(
        Facts,
        asked=_asked(heard, srv_name, options.domain.lower()),
        order=_order(heard, srv_name),
        follows_change=_follows_change(heard),
    )


def _registers(heard: Heard) -> list[Transaction]:
    return [each for each in heard.requests("REGISTER") if each.sent_s]


def _asked(heard: Heard, srv_name: str, domain: str) -> Seen:
    if heard.pointed_by != "dns":
        return unseen("The PBX was led here by an address, so it had nothing to ask.", heard)
    about = [each for each in heard.lookups if each.name == srv_name and each.kind == "SRV"]
    if about:
        times = f" ({len(about)} times)" if len(about) > 1 else ""
        return Seen("srv", f"The PBX asks for the SRV records of {srv_name}{times}.")
    for_address = [each for each in heard.lookups if each.name == domain and each.kind in ("A", "AAAA")]
    if for_address and heard.requests("REGISTER"):
        return Seen("address-only", f"The PBX asks for the address of {domain} alone, and for no SRV record.")
    if heard.way == "rehearsal" and heard.requests("REGISTER"):
        return Seen("nothing", "The PBX registered without asking the DNS server that it was given.")
    if not heard.has_dns:
        return unseen(
            "No DNS is in what was captured. Capture port 53 as well, and restart the trunk meanwhile.", heard
        )
    return unseen("No question for the trunk's name was seen: restart the trunk while the capture runs.", heard)


def _targets(lookups: list[Lookup], srv_name: str, before_s: float) -> list[_Target]:
    """What the PBX knew at a time: the last SRV answer, with all addresses that were ever given."""
    addresses: dict[str, set[str]] = {}
    records: list[tuple[int, int, str]] = []
    for lookup in lookups:
        if lookup.answers is None or lookup.time_s > before_s:
            continue
        srv = [data for name, kind, data in lookup.answers if kind == "SRV" and name == srv_name]
        if srv:
            records = [record for data in srv if (record := _record(data)) is not None]
        for name, kind, data in lookup.answers:
            if kind in ("A", "AAAA"):
                addresses.setdefault(name, set()).add(data)
    return [_Target(priority, port, frozenset(addresses.get(name, ()))) for priority, port, name in records]


def _record(data: str) -> tuple[int, int, str] | None:
    """(priority, port, target) of `45 50 5060 zt.example`."""
    words = data.split()
    if len(words) != 4 or not all(word.isdigit() and len(word) < 6 for word in words[:3]):
        return None
    return int(words[0]), int(words[2]), words[3].removesuffix(".")


def _order(heard: Heard, srv_name: str) -> Seen:
    reasons = heard.steps_named(*_REASONS)
    seen = []
    for each in _registers(heard):
        if any(step.began_s <= each.sent_s[0] for step in reasons):
            break
        place = each.request.message.destination
        targets = _targets(list(heard.lookups), srv_name, each.sent_s[0])
        if place is None or not any(one.addresses for one in targets):
            continue
        if len({one.priority for one in targets}) < 2:
            return unseen("All SRV records that were seen have one priority, so their order says nothing.", heard)
        best = min(targets, key=lambda one: one.priority)
        at = _at(targets, place)
        if not at:
            seen.append(Seen("elsewhere", f"REGISTER goes to {place[0]}, which no SRV record names."))
        elif best not in at:
            if _is_of_no_use_before(heard, targets, each):
                continue
            seen.append(
                Seen("worse", f"REGISTER goes to priority {min(one.priority for one in at)}, not to {best.priority}.")
            )
        elif place[1] not in {one.port for one in at}:
            seen.append(Seen("another-port", f"REGISTER goes to port {place[1]}, and SRV says {best.port}."))
        else:
            seen.append(Seen("best", f"REGISTER goes to the record with the best priority ({best.priority})."))
    return furthest(get_args(Order), seen, "SRV records, with a REGISTER that follows them, were not seen.", heard)


def _at(targets: list[_Target], place: Place | None) -> list[_Target]:
    """The records that lead there: by address, and where several do, by port."""
    if place is None:
        return []
    at = [one for one in targets if place[0] in one.addresses]
    return [one for one in at if one.port == place[1]] or at


def _is_of_no_use_before(heard: Heard, targets: list[_Target], register: Transaction) -> bool:
    """The best site was asked and did not answer, was not seen to, or refused: then the next one may be tried."""
    best = min(targets, key=lambda one: one.priority)
    asked = [
        each
        for each in heard.transactions
        if each.goes_up
        and best in _at(targets, each.request.message.destination)
        and each.request.position < register.request.position
    ]
    if not asked:
        return False
    last = asked[-1]
    is_challenge = last.status in (401, 407) and last.request.is_without("Authorization")
    return not last.responses or (last.status is not None and last.status >= 300 and not is_challenge)


def _last_site(heard: Heard, before_s: float) -> str | None:
    """Where it was registered then."""
    done = [each for each in _registers(heard) if each.status == 200 and each.sent_s[0] < before_s]
    return heard.site_of(done[-1]) if done else None


def _follows_change(heard: Heard) -> Seen:
    for step in heard.steps_named(_SWAPPED):
        during = [each for each in _registers(heard) if step.began_s <= each.sent_s[0] <= step.ended_s]
        at_new = [each for each in during if len(heard.sites) > 1 and heard.site_of(each) == heard.sites[1]]
        if at_new and _last_site(heard, step.began_s) == heard.sites[1]:
            return unseen("The PBX was at the new best record before the change.", heard)
        if at_new:
            after_s = at_new[0].sent_s[0] - step.began_s
            return Seen(True, f"The PBX went to the new best record {after_s:.0f} s after the change.")
        if during:
            return Seen(False, f"The PBX stayed at the old record for {step.ended_s - step.began_s:.0f} s.")
    return unseen("The SRV records were not changed meanwhile.", heard)


PROBE = Probe(
    "pbx_names", Options, Facts, measure, subject=lambda _: "DNS questions of the PBX", local=True, listens=True
)
