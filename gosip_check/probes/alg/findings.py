"""What each method of the ALG probe has seen, as a finding: proof of an ALG, a clean look, or nothing to tell. Pure.

A finding is proof only where no hop that garbles quotes, no lossy path, no strange server can explain it. Where proof
rests on what one server said, it has to be seen twice (`to_be_confirmed`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from gosip_check.probes.alg.mirror import Mirrored
from gosip_check.probes.alg.quoted import Sighting, Walk, covered
from gosip_check.probes.alg.signature import AlgFamily, AlgKind, family_of, kind_of_changes
from gosip_check.probes.alg.via_pair import Answer
from gosip_check.probes.path import hops
from gosip_check.probes.path.quotes import Fate
from gosip_check.wire import bait
from gosip_check.wire.rewriting import Change

LINES_THAT_MATTER = {
    bait.OPTIONS: {"Via", "Contact", "From", "Call-ID", "Max-Forwards"},
    bait.INVITE: {"Via", "Contact", "SDP o=", "SDP c="},
    bait.REGISTER: {"Via", "Contact"},
}
"What has to be seen unchanged behind the edge before a look is clean: all that any known ALG changes."


@dataclass(frozen=True)
class Finding:
    """What one method saw. needed: without a clean look of this method an ALG cannot be called absent."""

    method: str
    found: bool | None
    words: str
    kind: AlgKind | None = None
    family: AlgFamily | None = None
    culprit: str | None = None
    message: str | None = None
    changes: tuple[Change, ...] = ()
    needed: bool = True
    to_be_confirmed: bool = False

    def confirmed_by(self, others: Collection["Finding"]) -> "Finding":
        """Itself when the same method found it again; else undecided."""
        if not self.to_be_confirmed or any(other.method == self.method and other.found for other in others):
            return replace(self, to_be_confirmed=False)
        return replace(self, found=None, to_be_confirmed=False, words=f"Seen once and not again: {self.words}")


def from_quotes(walk: Walk | None, ways: hops.Facts | None) -> list[Finding]:
    """Methods that need hops to quote. walk and ways are None where the error queue or the path was not to be had."""
    if walk is None or ways is None:
        return [Finding("quotes", None, "What leaves the site could not be seen: no hop on the way could be asked.")]
    if ways.is_this_machine:
        return [Finding("quotes", False, f"{ways.destination} is this machine itself: nothing lies on the way.")]
    findings = [_answered_too_early(walk, ways), _dropped(walk, ways), _rewritten(walk, ways)]
    return [finding for finding in findings if finding is not None]


def from_answers(answers: Sequence[Answer]) -> list[Finding]:
    """Methods that need a server to answer."""
    answered = [answer for answer in answers if answer.response is not None]
    if not answered:
        words = "What comes back could not be seen: no server answered. Ask the provider whether it knows this address."
        return [Finding("paired Via", None, words), Finding("echo", None, "", needed=False)]
    diverted = _diverted(answered)
    return [_paired(answered), _echoed(answered), *([diverted] if diverted else [])]


def is_translated(answer: Answer) -> bool:
    """The server saw another address than the one this machine has."""
    return answer.seen_from is not None and answer.seen_from[0] != answer.local[0]


def from_mirror(mirrored: Sequence[Mirrored], transport: str, port: int) -> list[Finding]:
    """What a far end of our own received. Clean only where the trunk's own transport and port were mirrored."""
    if not mirrored:
        return []
    answered = [one for one in mirrored if one.answered]
    for one in answered:
        for changes, in_reply in ((one.request_changes, False), (one.reply_changes, True)):
            if not changes:
                continue
            lines = ", ".join(dict.fromkeys(change.where for change in changes))
            what = f"the answer to {one.message}" if in_reply else one.message
            clean = sorted({o.port for o in answered if not o.request_changes and not o.reply_changes})
            but = f"; unchanged on port {', '.join(map(str, clean))}" if clean else ""
            words = (
                f"A SIP ALG changed {what} on the way {'from' if in_reply else 'to'} the reflector, "
                f"{one.port}/{one.transport}: {lines}{but}."
            )
            kind, family = kind_of_changes(changes, in_reply=in_reply), family_of(changes, one.local)
            return [Finding("mirror", True, words, kind, family, None, one.message, changes, needed=False)]
    own = [one for one in mirrored if one.transport == transport.upper() and one.port == port]
    if own and all(one.answered for one in own):
        words = f"At {port}/{transport.upper()} a reflector got {len(own)} requests unchanged, and we its answers."
        return [Finding("mirror", False, words, needed=False)]
    return [Finding("mirror", None, f"The reflector mirrors no SIP at {port}/{transport.upper()}.", needed=False)]


# ------------------------------------------------------------------------------------------------------ quotes


def _rewritten(walk: Walk, ways: hops.Facts) -> Finding:
    changed = [one for one in walk.sightings if one.comparison and one.comparison.changes and one.comparison.legible]
    believed = [one for one in changed if not _also_elsewhere(one, walk)]
    if believed:
        nearest = min(one.ttl for one in believed)
        order = (bait.INVITE, bait.OPTIONS, bait.REGISTER, bait.SHORT, bait.TRAP)
        proof = min((one for one in believed if one.ttl == nearest), key=lambda one: order.index(one.message))
        assert proof.comparison is not None
        changes = proof.comparison.changes
        culprit, where = _between(proof, walk, ways)
        lines = ", ".join(dict.fromkeys(change.where for change in changes))
        words = f"A SIP ALG {where} rewrites what this site sends: hop {proof.ttl} ({proof.hop}) saw changed {lines}."
        kind = kind_of_changes(changes, in_reply=False)
        family = family_of(changes, proof.local)
        return Finding("quotes", True, words, kind, family, culprit, proof.message, changes)
    if changed:
        words = (
            f"Hop {changed[0].ttl} ({changed[0].hop}) quotes our SIP altered, but other datagrams as well: no proof."
        )
        return Finding("quotes", None, words)
    beyond = {hop.ttl for hop in ways.beyond_the_edge()}
    behind = [one for one in walk.sightings if one.ttl in beyond]
    unseen = {
        message: lines - covered(behind, message)
        for message, lines in LINES_THAT_MATTER.items()
        if lines - covered(behind, message)
    }
    if not unseen:
        deepest = max(one.ttl for one in behind if one.fate is Fate.PASSED)
        hop = ways.hop_at(deepest)
        place = f"at hop {deepest} ({hop.address if hop else 'unknown'}), behind {ways.edge_name()}"
        return Finding("quotes", False, f"OPTIONS, INVITE and REGISTER were seen unchanged {place}.")
    return Finding("quotes", None, _why_unseen(unseen, behind))


def _also_elsewhere(one: Sighting, walk: Walk) -> bool:
    """The same request to a port that is not SIP's is quoted changed at the same hop: then it is the quote's doing."""
    return any(
        other.message == one.message
        and other.ttl == one.ttl
        and other.comparison is not None
        and not other.comparison.identical
        for other in walk.elsewhere
    )


def _between(proof: Sighting, walk: Walk, ways: hops.Facts) -> tuple[str | None, str]:
    """The culprit, and where it sits in words: it let its own hop see the request unchanged, the next one changed."""
    before = [
        one
        for one in walk.sightings
        if one.ttl < proof.ttl and one.comparison is not None and one.comparison.identical and one.hop
    ]
    if before:
        last = max(before, key=lambda one: one.ttl)
        return last.hop, f"at {last.hop} (hop {last.ttl}) or right behind it"
    return None, f"before hop {proof.ttl}"


def _why_unseen(unseen: dict[str, set[str]], behind: Sequence[Sighting]) -> str:
    quoting = [one for one in behind if one.fate is Fate.PASSED]
    if not quoting and any(one.fate in (Fate.DROPPED, Fate.REFUSED) for one in behind):
        return "What leaves the site could not be seen: its edge lets no SIP out. Open the port on the firewall first."
    if not quoting:
        return (
            "What leaves the site could not be seen: no hop behind the edge quoted our SIP. "
            "A reflector at the far end would show it."
        )
    lines = "; ".join(f"{', '.join(sorted(names))} of {message}" for message, names in unseen.items())
    size = max(one.comparison.seen_bytes if one.comparison else 0 for one in quoting)
    return (
        f"The hops behind the edge quote at most {size} octets of the payload, so nobody saw {lines}. "
        "A reflector at the far end would show it."
    )


def _dropped(walk: Walk, ways: hops.Facts) -> Finding | None:
    """A kind of request that never gets through, while OPTIONS to the same port and the same bytes elsewhere do."""
    lost = [one for one in walk.sightings if one.fate is Fate.DROPPED and one.message != bait.OPTIONS]
    for one in lost:
        if not any(o.message == one.message and o.ttl == one.ttl and o.fate is Fate.PASSED for o in walk.elsewhere):
            continue
        last = _last_seen(one, walk)
        where = f"at {last.hop} (hop {last.ttl}) or right behind it" if last else f"before hop {one.ttl}"
        what = (
            "an INVITE that lacks a CSeq, as only something that reads SIP does"
            if one.message == bait.TRAP
            else one.message
        )
        words = (
            f"Something {where} drops {what}: {one.tries} of {one.tries} to port {one.port} were lost, while OPTIONS "
            f"to the same port and the same bytes to another port got through to hop {one.ttl}."
        )
        family = AlgFamily.NETFILTER if one.message == bait.TRAP else None
        return Finding("drops", True, words, AlgKind.DROPS, family, last.hop if last else ways.edge_name(), one.message)
    return None


def _last_seen(lost: Sighting, walk: Walk) -> Sighting | None:
    seen = [one for one in walk.sightings if one.ttl < lost.ttl and one.fate is Fate.PASSED]
    return max(seen, key=lambda one: one.ttl, default=None)


def _answered_too_early(walk: Walk, ways: hops.Facts) -> Finding | None:
    """A SIP answer to a request that cannot have reached a server, by at least two hops or inside the site."""
    deepest = max((hop.ttl for hop in ways.hops), default=0)
    for one in walk.sightings:
        known_to_die = one.ttl <= ways.edge_ttl and ways.hop_at(one.ttl) is not None
        if one.fate is Fate.ANSWERED and (known_to_die or one.ttl + 2 <= deepest):
            words = (
                f"{one.message} was answered although it could not travel further than hop {one.ttl} "
                f"({_name(ways, one.ttl)}): a SIP ALG there answers in the server's name."
            )
            return Finding(
                "early answer", True, words, AlgKind.PROXY, AlgFamily.PROXY, _name(ways, one.ttl), one.message
            )
    return None


def _name(ways: hops.Facts, ttl: int) -> str:
    hop = ways.hop_at(ttl)
    return hop.address if hop else f"hop {ttl}"


# ----------------------------------------------------------------------------------------------------- answers


def _paired(answers: Sequence[Answer]) -> Finding:
    undecided = "The server does not say where our requests came from (no `received` and `rport`)."
    for server in dict.fromkeys(answer.server for answer in answers):
        ways = {answer.way: answer for answer in answers if answer.server == server}
        literal, name = ways.get("literal"), ways.get("name")
        if literal is None or name is None or name.seen_from is None:
            continue
        local, public, port = literal.local[0], *name.seen_from
        unnoticed = literal.seen_from is None or literal.seen_from[0] == local
        if public != local and unnoticed and _rport_was_understood(literal):
            words = (
                f"{server.address} saw a request that came from {public}, but our address {local} in its Via looked "
                f"right to it, while a name there did not: a SIP ALG had written {public} into the Via."
            )
            change = Change("Via", f"Via: SIP/2.0/UDP {local}:{literal.local[1]}", f"Via: SIP/2.0/UDP {public}")
            family = family_of([change], literal.local)
            kind = AlgKind.REWRITES_REQUEST
            return Finding("paired Via", True, words, kind, family, None, "OPTIONS", (change,), to_be_confirmed=True)
        if literal.seen_from is None:
            continue
        if public == local and hops.kind_of(local) != "public" and hops.kind_of(server.address) == "public":
            undecided = (
                f"{server.address} says that it sees our private address {local}: there is a tunnel, or something "
                "rewrites its answers."
            )
            continue
        words = f"{server.address} saw our requests from {public}:{port}, whatever stood in the Via."
        return Finding("paired Via", False, words)
    return Finding("paired Via", None, undecided)


def _rport_was_understood(answer: Answer) -> bool:
    """The server filled `rport` in, so it would have added `received` to a Via that did not fit (RFC 3581 4)."""
    try:
        return answer.response is not None and answer.response.vias[0].rport is not None
    except ValueError:
        return False


def _echoed(answers: Sequence[Answer]) -> Finding:
    for answer in answers:
        changes = tuple(answer.changes())
        if changes:
            lines = ", ".join(dict.fromkeys(change.where for change in changes))
            words = (
                f"The answer of {answer.server.address} does not bring back what was sent: {lines}. A server must copy "
                "these (RFC 3261 8.2.6.2), so something on the way rewrites SIP."
            )
            kind, family = kind_of_changes(changes, in_reply=True), family_of(changes, answer.local)
            family = None if family is AlgFamily.NETFILTER else family  # it leaves what is copied as it was
            return Finding("echo", True, words, kind, family, None, "reply", changes, to_be_confirmed=True)
    return Finding("echo", False, f"{len(answers)} answers brought back unchanged what a server must copy.")


def _diverted(answers: Sequence[Answer]) -> Finding | None:
    for answer in answers:
        if answer.diverted:
            words = (
                f"{answer.server.address} answered to the port that the request came from, but the answer arrived here "
                f"at port {answer.arrived_at} instead of {answer.local[1]}: a SIP ALG diverts replies."
            )
            return Finding("diversion", True, words, AlgKind.DIVERTS, None, None, "reply")
    return None
