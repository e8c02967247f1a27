"""What each method of the ALG probe has seen, as a finding: proof of an ALG, a clean look, or undecided. Pure.

A finding is proof only where no hop that garbles quotes, no lossy path, no strange server can explain it. Where proof
rests on what one server said, it has to be seen twice (`to_be_confirmed`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from gosip_check.probes.alg.mirror import Mirrored
from gosip_check.probes.alg.quoted import Sighting, Walk, covered
from gosip_check.probes.alg.signature import AlgFamily, AlgKind, family_of, kind_of_changes
from gosip_check.probes.alg.via_pair import ViaTest
from gosip_check.probes.dns.servers import Server
from gosip_check.probes.path import hops
from gosip_check.probes.path.asking import Fate
from gosip_check.probes.path.stand_in import StandIn
from gosip_check.wire import bait
from gosip_check.wire.rewriting import Change

LINES_THAT_MATTER = {
    bait.OPTIONS: {"Via", "Contact", "From", "Call-ID", "Max-Forwards"},
    bait.INVITE: {"Via", "Contact", "SDP o=", "SDP c="},
    bait.REGISTER: {"Via", "Contact"},
}
"What has to be seen unchanged behind the edge before a look is clean: all that any known ALG changes."

_ORDER_OF_PROOF = (bait.INVITE, bait.OPTIONS, bait.REGISTER, bait.SHORT, bait.TRAP)


@dataclass(frozen=True)
class Finding:
    """What one method saw. needed: without a clean look of this method an ALG cannot be called absent."""

    method: str
    found: bool | None
    sentence: str
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
        sentence = f"Seen once and not again: {self.sentence}"
        return replace(self, found=None, to_be_confirmed=False, sentence=sentence)


def from_quotes(walk: Walk, path: hops.Facts | None, *, answered: bool = False) -> list[Finding]:
    """Methods that need hops to quote. path: None where it was not to be had. answered: some server answered OPTIONS
    that were sent meanwhile.
    """
    if path is None:
        return [Finding("quotes", None, "What leaves the site could not be seen: no hop on the way could be asked.")]
    if path.is_this_machine:
        return [Finding("quotes", False, f"{path.destination} is this machine itself: nothing lies on the way.")]
    findings = [_answered_too_early(walk, path), _dropped(walk, path), _rewritten(walk, path, answered)]
    return [finding for finding in findings if finding is not None]


def from_answers(tests: Sequence[ViaTest]) -> list[Finding]:
    """Methods that need a server to answer."""
    answered = [test for test in tests if test.response is not None]
    if not answered:
        silent = (
            "What comes back could not be seen: no server answered. Ask the provider whether it knows this address."
        )
        return [Finding("paired Via", None, silent), Finding("echo", None, "", needed=False)]
    diverted = _diverted(answered)
    return [_paired(answered), _echoed(answered), *([diverted] if diverted else [])]


def is_translated(test: ViaTest) -> bool:
    """The server saw another address than the one this machine has."""
    return test.seen_from is not None and test.seen_from[0] != test.local[0]


def from_stand_in(server: Server, who: StandIn, *, answers_sip: bool) -> Finding:
    """answers_sip: an OPTIONS was answered that could not reach further than whoever stands in for the server."""
    there = f"{server.address}:{server.port} in the server's name"
    if not answers_sip:
        device = f"Something {who.place} accepts connections to {there}"
        return Finding("early answer", None, f"{device}. What it does to SIP could not be seen.")
    sentence = f"Something {who.place} answers OPTIONS to {there}, which cannot travel further: a SIP ALG or proxy."
    return Finding("early answer", True, sentence, AlgKind.PROXY, AlgFamily.PROXY, who.hop, bait.OPTIONS)


def from_mirror(mirrored: Sequence[Mirrored], transport: str, port: int) -> list[Finding]:
    """What a far end of our own received. Clean only where the trunk's own transport and port were mirrored."""
    if not mirrored:
        return []
    answered = [each for each in mirrored if each.answered]
    for each in sorted(answered, key=lambda each: -len(each.request_changes)):  # the message that shows most of it
        for changes, in_reply in ((each.request_changes, False), (each.reply_changes, True)):
            if not changes:
                continue
            what = f"the answer to {each.message}" if in_reply else each.message
            clean = sorted({o.port for o in answered if not o.request_changes and not o.reply_changes})
            but = f"; unchanged on port {', '.join(map(str, clean))}" if clean else ""
            sentence = (
                f"A SIP ALG changed {what} on the way {'from' if in_reply else 'to'} the reflector, "
                f"{each.port}/{each.transport}: {_lines(changes)}{but}."
            )
            kind, family = kind_of_changes(changes, in_reply=in_reply), family_of(changes, each.local)
            return [Finding("mirror", True, sentence, kind, family, None, each.message, changes, needed=False)]
    own = [each for each in mirrored if each.transport == transport.upper() and each.port == port]
    if own and all(each.answered for each in own):
        sentence = f"At {port}/{transport.upper()} a reflector got {len(own)} requests unchanged, and we its answers."
        return [Finding("mirror", False, sentence, needed=False)]
    return [Finding("mirror", None, f"The reflector mirrors no SIP at {port}/{transport.upper()}.", needed=False)]


def _lines(changes: Sequence[Change]) -> str:
    return ", ".join(dict.fromkeys(change.where for change in changes))


# ------------------------------------------------------------------------------------------------------ quotes


def _rewritten(walk: Walk, path: hops.Facts, answered: bool) -> Finding:
    changed = [s for s in walk.sightings if s.comparison and s.comparison.changes and s.comparison.legible]
    believed = [sighting for sighting in changed if not _also_elsewhere(sighting, walk)]
    if believed:
        proof = min(believed, key=lambda sighting: (sighting.ttl, _ORDER_OF_PROOF.index(sighting.message)))
        assert proof.comparison is not None
        changes = proof.comparison.changes
        culprit, where = _between(proof, walk)
        sentence = (
            f"A SIP ALG {where} rewrites what this site sends: "
            f"hop {proof.ttl} ({proof.hop}) saw changed {_lines(changes)}."
        )
        kind, family = kind_of_changes(changes, in_reply=False), family_of(changes, proof.local)
        return Finding("quotes", True, sentence, kind, family, culprit, proof.message, changes)
    if changed:
        hop = f"Hop {changed[0].ttl} ({changed[0].hop})"
        return Finding("quotes", None, f"{hop} quotes our SIP altered, but other datagrams as well: no proof.")
    beyond = {hop.ttl for hop in path.beyond_the_edge()}
    behind = [sighting for sighting in walk.sightings if sighting.ttl in beyond]
    unseen = {message: lines - covered(behind, message) for message, lines in LINES_THAT_MATTER.items()}
    if any(unseen.values()):
        return Finding("quotes", None, _why_unseen(unseen, behind, answered))
    deepest = max(sighting.ttl for sighting in behind if sighting.fate is Fate.PASSED)
    at = path.hop_at(deepest)
    place = f"at hop {deepest} ({at.address if at else 'unknown'}), behind {path.edge_name()}"
    return Finding("quotes", False, f"OPTIONS, INVITE and REGISTER were seen unchanged {place}.")


def _also_elsewhere(changed: Sighting, walk: Walk) -> bool:
    """The same request to a port that is not SIP's is quoted changed at the same hop: then it is the quote's doing."""
    return any(
        other.message == changed.message
        and other.ttl == changed.ttl
        and other.comparison is not None
        and not other.comparison.identical
        for other in walk.elsewhere
    )


def _between(proof: Sighting, walk: Walk) -> tuple[str | None, str]:
    """The culprit, and where it sits in words: it let its own hop see the request unchanged, the next one changed."""
    before = [s for s in walk.sightings if s.ttl < proof.ttl and s.comparison and s.comparison.identical and s.hop]
    if before:
        last = max(before, key=lambda sighting: sighting.ttl)
        return last.hop, f"at {last.hop} (hop {last.ttl}) or right behind it"
    return None, f"before hop {proof.ttl}"


def _why_unseen(unseen: dict[str, set[str]], behind: Sequence[Sighting], answered: bool) -> str:
    quoting = [sighting for sighting in behind if sighting.fate is Fate.PASSED]
    if not quoting and any(sighting.fate in (Fate.DROPPED, Fate.REFUSED) for sighting in behind):
        if answered:
            return (
                "What leaves the site could not be seen: servers answer, but its edge lets only some SIP out. "
                "A limit on requests a second does that. Take it off for the provider's networks, and run this again."
            )
        return (
            "What leaves the site could not be seen: its edge let none of these SIP requests out. It blocks the port, "
            "or limits SIP to a few requests a second."
        )
    if not quoting:
        return (
            "What leaves the site could not be seen: no hop behind the edge quoted our SIP. "
            "A reflector at the far end would show it."
        )
    lines = "; ".join(f"{', '.join(sorted(names))} of {message}" for message, names in unseen.items() if names)
    size = max(sighting.comparison.seen_bytes if sighting.comparison else 0 for sighting in quoting)
    return (
        f"The hops behind the edge quote at most {size} octets of the payload, so nobody saw {lines}. "
        "A reflector at the far end would show it."
    )


def _dropped(walk: Walk, path: hops.Facts) -> Finding | None:
    """A kind of request that never gets through, while OPTIONS to the same port and the same bytes elsewhere do.

    Undecided where the trap was sent and its silence says nothing; None where there was nothing to send it to.
    """
    elsewhere = {(sighting.message, sighting.ttl) for sighting in walk.elsewhere if sighting.fate is Fate.PASSED}
    for lost in walk.sightings:
        is_lost = lost.fate is Fate.DROPPED and lost.message != bait.OPTIONS
        if not is_lost or (lost.message, lost.ttl) not in elsewhere:
            continue
        seen = [s for s in walk.sightings if s.ttl < lost.ttl and s.fate is Fate.PASSED]
        last = max(seen, key=lambda sighting: sighting.ttl, default=None)
        where = f"at {last.hop} (hop {last.ttl}) or right behind it" if last else f"before hop {lost.ttl}"
        is_trap = lost.message == bait.TRAP
        what = "an INVITE without a CSeq, as only something that reads SIP does" if is_trap else lost.message
        sentence = (
            f"Something {where} drops {what}: {lost.tries} of {lost.tries} to port {lost.port} were lost. "
            f"OPTIONS to that port, and the same bytes to another port, reached hop {lost.ttl}."
        )
        family = AlgFamily.NETFILTER if is_trap else None
        culprit = last.hop if last else path.edge_name()
        return Finding("drops", True, sentence, AlgKind.DROPS, family, culprit, lost.message)
    if any(trap.message == bait.TRAP and trap.fate is Fate.UNDECIDED for trap in walk.sightings):
        return Finding(
            "drops", None, "Whether something drops SIP that it cannot read was not seen: hops answer too seldom."
        )
    return None


def _answered_too_early(walk: Walk, path: hops.Facts) -> Finding | None:
    """A SIP answer to a request that cannot have reached a server, by at least two hops or inside the site."""
    deepest = max((hop.ttl for hop in path.hops), default=0)
    for sighting in walk.sightings:
        hop = path.hop_at(sighting.ttl)
        known_to_die = sighting.ttl <= path.edge_ttl and hop is not None
        at = hop.address if hop else f"hop {sighting.ttl}"
        if sighting.fate is Fate.ANSWERED and (known_to_die or sighting.ttl + 2 <= deepest):
            sentence = (
                f"{sighting.message} was answered although it could not travel further than hop {sighting.ttl} "
                f"({at}). A SIP ALG there answers in the server's name."
            )
            kind, family = AlgKind.PROXY, AlgFamily.PROXY
            return Finding("early answer", True, sentence, kind, family, at, sighting.message)
    return None


# ----------------------------------------------------------------------------------------------------- answers


def _paired(tests: Sequence[ViaTest]) -> Finding:
    undecided = "The server does not say where our requests came from (no `received` and `rport`)."
    for server in dict.fromkeys(test.server for test in tests):
        by_form = {test.form: test for test in tests if test.server == server}
        literal, name = by_form.get("literal"), by_form.get("name")
        if literal is None or name is None or name.seen_from is None:
            continue
        local, public, port = literal.local[0], *name.seen_from
        unnoticed = literal.seen_from is None or literal.seen_from[0] == local
        if public != local and unnoticed and _rport_was_understood(literal):
            sentence = (
                f"{server.address} received our request with the address {public} in it; we sent {local}. "
                "Something on the way changed it: a SIP ALG."
            )
            change = Change("Via", f"Via: SIP/2.0/UDP {local}:{literal.local[1]}", f"Via: SIP/2.0/UDP {public}")
            kind, family = AlgKind.REWRITES_REQUEST, family_of([change], literal.local)
            return Finding("paired Via", True, sentence, kind, family, None, "OPTIONS", (change,), to_be_confirmed=True)
        if literal.seen_from is None:
            continue
        if public == local and hops.kind_of(local) != "public" and hops.kind_of(server.address) == "public":
            undecided = (
                f"{server.address} says that it sees our private address {local}: there is a tunnel, or something "
                "rewrites its answers."
            )
            continue
        sentence = f"{server.address} saw our requests from {public}:{port}, whatever stood in the Via."
        return Finding("paired Via", False, sentence)
    return Finding("paired Via", None, undecided)


def _rport_was_understood(test: ViaTest) -> bool:
    """The server filled `rport` in, so it would have added `received` to a Via that did not fit (RFC 3581 4)."""
    try:
        return test.response is not None and test.response.vias[0].rport is not None
    except ValueError:
        return False


def _echoed(tests: Sequence[ViaTest]) -> Finding:
    for test in tests:
        changes = tuple(test.changes())
        if changes:
            sentence = (
                f"The answer of {test.server.address} does not bring back what was sent: {_lines(changes)}. A server "
                "must copy these (RFC 3261 8.2.6.2), so something on the way rewrites SIP."
            )
            kind, family = kind_of_changes(changes, in_reply=True), family_of(changes, test.local)
            family = None if family is AlgFamily.NETFILTER else family  # it leaves what is copied as it was
            return Finding("echo", True, sentence, kind, family, None, "reply", changes, to_be_confirmed=True)
    for test in tests:
        doubts = tuple(test.doubts())
        if doubts:
            sentence = (
                f"The answer of {test.server.address} brings back another {_lines(doubts)} than was sent "
                f"({doubts[0].after}). The provider's own servers may do that, so it proves no SIP ALG."
            )
            return Finding("echo", None, sentence)
    return Finding("echo", False, f"{len(tests)} answers brought back unchanged what a server must copy.")


def _diverted(tests: Sequence[ViaTest]) -> Finding | None:
    for test in tests:
        if test.diverted:
            sentence = (
                f"The answer of {test.server.address} arrived here at port {test.arrived_at}, not {test.local[1]}, "
                "which it was sent to. A SIP ALG diverts replies."
            )
            return Finding("diversion", True, sentence, AlgKind.DIVERTS, None, None, "reply")
    return None
