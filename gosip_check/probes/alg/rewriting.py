"""Does something on the way read and change our SIP? The question behind "switch the SIP ALG off".

Several methods look, each at its own part of the way; findings.py says what each of them saw. An ALG counts as found
only on proof, and as absent only when both directions were looked at and every look was clean. Everything else is
undecided, and the evidence says what would help.

The light form (`answers_only`) looks at the servers' answers alone, with two OPTIONS to each server, politely apart.
Proof counts there too; a clean look says that these answers were clean, and not that no ALG is there.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.alg import via_pair
from gosip_check.probes.alg.findings import (
    Finding,
    from_answers,
    from_mirror,
    from_quotes,
    from_stand_in,
    is_translated,
)
from gosip_check.probes.alg.mirror import UNRELATED_PORT, ask_mirror
from gosip_check.probes.alg.other_line import ask_other_line
from gosip_check.probes.alg.quoted import Walk, walk
from gosip_check.probes.alg.signature import FAMILY_NAMES, AlgKind
from gosip_check.probes.alg.via_pair import ViaForm, ViaTest
from gosip_check.probes.dns.servers import Server, servers_inside
from gosip_check.probes.path import hops
from gosip_check.probes.path.stand_in import stand_in_of, without_stand_ins
from gosip_check.probes.probe import Context, Probe, ProbeFailed, side_by_side
from gosip_check.probes.sip import signalling
from gosip_check.probes.sip.stream import ask_over_tcp
from gosip_check.records import Record

_PAIR: tuple[ViaForm, ...] = ("literal", "name")


class Options(probe.Options, frozen=True):
    """`port` is where signalling goes; the servers come from DNS, as far as they lie in `networks`.

    reflector: HOST[:PORT] of a far end of our own that mirrors SIP, if there is one. answers_only: the light form. Its
    requirement should need `firewall.signalling`, so that a silent server is not asked again.
    """

    domain: str
    transport: Literal["udp", "tcp"]
    port: int
    networks: list[str]
    reflector: str | None = None
    far_end_link: str | None = None
    stun: list[str] = []
    answers_only: bool = False


class ChangedLine(Record, frozen=True):
    """A line that was changed on the way. `before` is None where it was put in, `after` where it was taken out."""

    where: str
    before: str | None
    after: str | None


class Look(Record, frozen=True):
    """What one method saw. found: None where it could not look, or could not decide."""

    method: str
    found: bool | None
    words: str


class Facts(probe.Facts, frozen=True):
    """alg_found and what is known of it: its kind (AlgKind), likely family (AlgFamily), where it sits, what it changed.

    The light form never decides alg_found. rewriting_seen: in the servers' answers alone; None where they are silent.
    asked, answered: OPTIONS for these answers. message: which request the changed lines belong to. looks: every method,
    so that a reader can see what was not seen.
    """

    transport: Literal["udp", "tcp"]
    alg_found: bool | None = None
    kind: str | None = None
    family: str | None = None
    culprit: str | None = None
    message: str | None = None
    changes: list[ChangedLine] = []
    looks: list[Look] = []
    asked: int = 0
    answered: int = 0
    rewriting_seen: bool | None = None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when this machine cannot send, or the run was stopped."""
    servers = servers_inside(context, options.networks)
    others: list[Finding] = []
    if options.answers_only:
        context.say(f"SIP answers of {len(servers)} server(s)")
        tests = _tests(options, context, servers)
    else:
        context.say(f"SIP ALG: requests that die on the way, and OPTIONS to {len(servers)} server(s)")
        with ThreadPoolExecutor(3) as pool:
            mirroring, walking = pool.submit(_mirrored, options, context), pool.submit(_walked, options, context)
            tests = pool.submit(_tests, options, context, servers).result()
            quoted = _quoted(options, context, walking.result(), tests)
            others = mirroring.result() + quoted + _stood_in(options, context, servers)
    answers = from_answers(tests)
    proven = any(finding.found and not finding.to_be_confirmed for finding in others + answers)
    if not proven and any(finding.to_be_confirmed for finding in answers):
        again = from_answers(_tests(options, context, servers, confirm=True))
        answers = [finding.confirmed_by(again) for finding in answers]
    return _facts(options, others, answers, tests)


def _mirrored(options: Options, context: Context) -> list[Finding]:
    """Nothing where no far end was named. One that cannot be used is no fault of the site."""
    if options.reflector is None and (options.far_end_link is None or options.transport != "udp"):
        return []
    ports = dict.fromkeys((options.port, 5060, 5061, UNRELATED_PORT))
    try:
        if options.reflector is None:
            servers = without_stand_ins(context, servers_inside(context, options.networks))
            return [ask_other_line(context, str(options.far_end_link), options.stun, options.domain, servers)]
        mirrored = ask_mirror(context, options.reflector, options.domain, list(ports))
    except ProbeFailed as failed:
        context.check()
        return [Finding("mirror", None, failed.failure.message, needed=False)]
    return from_mirror(mirrored, options.transport, options.port)


def _walked(options: Options, context: Context) -> Walk:
    """Over TCP nothing: only UDP requests are sent to die on the way."""
    path = context.facts_of(hops.Facts)
    if options.transport != "udp" or path is None or path.is_this_machine:
        return Walk([], [])
    return walk(context, path, options.domain, options.port)


def _quoted(options: Options, context: Context, walked: Walk, tests: Sequence[ViaTest]) -> list[Finding]:
    if options.transport != "udp":
        return []
    before = context.facts_of(signalling.Facts)
    answered = any(test.response for test in tests) or (before is not None and before.any_server_answers is True)
    return from_quotes(walked, context.facts_of(hops.Facts), answered=answered)


def _stood_in(options: Options, context: Context, servers: Sequence[Server]) -> list[Finding]:
    """Of the first server in whose name something answers: over TCP, is it SIP that is answered there?"""
    for server in servers:
        if who := stand_in_of(context, server):
            if options.transport == "udp":
                return [from_stand_in(server, who, answers_sip=True)]
            with context.turn(server.address):
                nearer = ask_over_tcp(context, options.domain, server, ttl=who.ttl)
            return [from_stand_in(server, who, answers_sip=nearer.result == "answered")]
    return []


def _tests(options: Options, context: Context, servers: Sequence[Server], *, confirm: bool = False) -> list[ViaTest]:
    ask = via_pair.over_udp if options.transport == "udp" else via_pair.over_tcp

    def one_by_one(server: Server) -> list[ViaTest]:
        """Each OPTIONS in its turn; a silent server is not asked again."""
        tests: list[ViaTest] = []
        for form in _PAIR:
            with context.turn(server.address):
                tests += ask(context, options.domain, [server], [form])
            if tests[-1].response is None:
                break
        return tests

    if options.answers_only:
        return [test for tests in side_by_side(one_by_one, servers) for test in tests]
    with_diversion = options.transport == "udp" and not confirm
    return ask(context, options.domain, servers, (*_PAIR, "other-port") if with_diversion else _PAIR)


def _facts(options: Options, others: list[Finding], answers: list[Finding], tests: Sequence[ViaTest]) -> Facts:
    findings = others + answers
    proof = next((finding for finding in findings if finding.found), None)
    alg_found, alg_sentence = _alg_found(options, findings, proof)
    rewriting_seen, answers_sentence = _rewriting_seen(answers)
    translated = any(is_translated(test) for test in tests)
    changes = proof.changes if proof else ()
    return Facts(
        transport=options.transport,
        alg_found=alg_found,
        kind=proof.kind if proof else AlgKind.NAT_ONLY if alg_found is False and translated else None,
        family=proof.family if proof else None,
        culprit=proof.culprit if proof else None,
        message=proof.message if proof else None,
        changes=[ChangedLine(where=c.where, before=c.before, after=c.after) for c in changes],
        looks=[Look(method=f.method, found=f.found, words=f.sentence) for f in findings],
        asked=len(tests),
        answered=sum(test.response is not None for test in tests),
        rewriting_seen=rewriting_seen,
        evidence={"alg_found": alg_sentence, "rewriting_seen": answers_sentence},
    )


def _alg_found(options: Options, findings: Sequence[Finding], proof: Finding | None) -> tuple[bool | None, str]:
    if options.answers_only:
        return None, "Only the servers' answers were looked at, and not what leaves the site."
    if proof is not None:
        family = f" Changes like these are made by {FAMILY_NAMES[proof.family]}." if proof.family else ""
        return True, proof.sentence + family
    clean = [finding.sentence for finding in findings if finding.found is False]
    missing = [finding.sentence for finding in findings if finding.found is None and finding.needed]
    if any(finding.method == "mirror" and finding.found is False for finding in findings):
        return False, " ".join(clean)
    if missing:
        return None, " ".join(["No SIP ALG was seen, but not everything could be looked at.", *missing, *clean])
    return False, " ".join(clean) + (" SDP over TCP was not looked at." if options.transport == "tcp" else "")


def _rewriting_seen(answers: Sequence[Finding]) -> tuple[bool | None, str]:
    proof = next((finding for finding in answers if finding.found), None)
    if proof is not None:
        return True, proof.sentence
    needed = [finding for finding in answers if finding.needed]
    is_open = any(finding.found is None for finding in needed)
    return None if is_open else False, " ".join(finding.sentence for finding in needed)


def _subject(options: Options) -> str:
    transport = options.transport.upper()
    if options.answers_only:
        return f"what SIP answers over {transport} bring back from {options.domain}"
    return f"SIP ALG on the way to {options.domain} ({options.port}/{transport})"


PROBE = Probe(
    "sip_rewriting",
    Options,
    Facts,
    measure,
    subject=_subject,
    after=("srv", "path", "stand_in"),
    # A router that limits SIP would drop the requests of both; and that servers answered it is known by then.
    uses=("signalling",),
    rest_s=lambda options: 0.5 if options.answers_only else 3.0,
    deadline_s=120.0,
)
