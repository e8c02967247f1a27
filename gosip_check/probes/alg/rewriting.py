"""Does something on the way read and change our SIP? The question behind "switch the SIP ALG off".

Several methods look, each at its own part of the way; alg_findings.py says what each of them saw. An ALG counts as
found only on proof, and as absent only when both directions were looked at and every look was clean. Everything else
is undecided, and the evidence says what would help.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.alg.findings import Finding, from_answers, from_mirror, from_quotes, is_translated
from gosip_check.probes.alg.mirror import UNRELATED_PORT, ask_mirror
from gosip_check.probes.alg.quoted import Walk, walk
from gosip_check.probes.alg.signature import FAMILY_NAMES, AlgKind
from gosip_check.probes.alg.via_pair import Answer, Way, ask_pairs, ask_pairs_over_tcp
from gosip_check.probes.path import hops
from gosip_check.probes.path.hops import Server
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.records import Record


class Options(probe.Options, frozen=True):
    """`port` is where signalling goes; the servers come from DNS, as far as they lie in `networks`.

    reflector: HOST[:PORT] of a far end of our own that mirrors SIP, if there is one.
    """

    domain: str
    transport: Literal["udp", "tcp"]
    port: int
    networks: list[str]
    reflector: str | None = None


class ChangedLine(Record, frozen=True):
    """A line that was changed on the way. `before` is None where it was put in, `after` where it was taken out."""

    where: str
    before: str | None
    after: str | None


class Look(Record, frozen=True):
    """What one method saw. found: None where it could not look, or could not tell."""

    method: str
    found: bool | None
    words: str


class Facts(probe.Facts, frozen=True):
    """alg_found and what is known of it: its kind (AlgKind), likely family (AlgFamily), where it sits, what it changed.

    message: which request the changed lines belong to. looks: every method, so that a reader can see what was not seen.
    """

    transport: Literal["udp", "tcp"]
    alg_found: bool | None
    kind: str | None
    family: str | None
    culprit: str | None
    message: str | None
    changes: list[ChangedLine]
    looks: list[Look]


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when this machine cannot send, or the run was stopped."""
    servers = hops.servers(context, options.networks)
    context.say(f"SIP ALG: requests that die on the way, and OPTIONS to {len(servers)} server(s)")
    ways = context.seen.get("path")
    with ThreadPoolExecutor(3) as pool:
        mirroring = pool.submit(_mirrored, options, context)
        answering = pool.submit(_answers, options, context, servers)
        walking = pool.submit(_walk, options, context, ways)
        answers, walked, findings = answering.result(), walking.result(), mirroring.result()
    if options.transport == "udp":
        known = ways if isinstance(ways, hops.Facts) else None
        findings += from_quotes(walked, known)
    findings += from_answers(answers)
    proven = any(finding.found and not finding.to_be_confirmed for finding in findings)
    if not proven and any(finding.to_be_confirmed for finding in findings):
        again = _answers(options, context, servers, confirm=True)
        findings = [finding.confirmed_by(from_answers(again)) for finding in findings]
    return _facts(options, findings, answers)


def _mirrored(options: Options, context: Context) -> list[Finding]:
    """Nothing where no reflector was named. One that is of no use is no fault of the site."""
    if options.reflector is None:
        return []
    ports = dict.fromkeys((options.port, 5060, 5061, UNRELATED_PORT))
    try:
        mirrored = ask_mirror(context, options.reflector, options.domain, list(ports))
    except ProbeFailed as failed:
        context.check()
        return [Finding("mirror", None, failed.failure.message, needed=False)]
    return from_mirror(mirrored, options.transport, options.port)


def _walk(options: Options, context: Context, ways: probe.Facts | None) -> Walk | None:
    if options.transport != "udp" or not isinstance(ways, hops.Facts):
        return None
    return Walk([], []) if ways.is_this_machine else walk(context, ways, options.domain, options.port)


def _answers(options: Options, context: Context, servers: Sequence[Server], *, confirm: bool = False) -> list[Answer]:
    if not servers:
        return []
    if options.transport == "tcp":
        return ask_pairs_over_tcp(context, options.domain, servers, ("literal", "name"))
    ways: tuple[Way, ...] = ("literal", "name") if confirm else ("literal", "name", "other-port")
    return ask_pairs(context, options.domain, servers, ways)


def _facts(options: Options, findings: Sequence[Finding], answers: Sequence[Answer]) -> Facts:
    proof = next((finding for finding in findings if finding.found), None)
    needed = [finding for finding in findings if finding.needed]
    if proof is not None:
        found, words = True, proof.words
    elif mirrored_clean := [finding for finding in findings if finding.method == "mirror" and finding.found is False]:
        found, words = False, " ".join(f.words for f in [*mirrored_clean, *needed] if f.found is False)
    elif all(finding.found is False for finding in needed):
        found, words = False, " ".join(finding.words for finding in needed)
        words += " SDP over TCP was not looked at." if options.transport == "tcp" else ""
    else:
        found, words = None, _undecided(findings)
    kind = proof.kind if proof else None
    if found is False and any(is_translated(answer) for answer in answers):
        kind = AlgKind.NAT_ONLY
    family = proof.family if proof else None
    if proof and family:
        words += f" The handwriting is that of {FAMILY_NAMES[family]}."
    changes = proof.changes if proof else ()
    return Facts(
        transport=options.transport,
        alg_found=found,
        kind=kind,
        family=family,
        culprit=proof.culprit if proof else None,
        message=proof.message if proof else None,
        changes=[ChangedLine(where=c.where, before=c.before, after=c.after) for c in changes],
        looks=[Look(method=f.method, found=f.found, words=f.words) for f in findings],
        evidence={"alg_found": words},
    )


def _undecided(findings: Sequence[Finding]) -> str:
    clean = [finding.words for finding in findings if finding.found is False]
    missing = [finding.words for finding in findings if finding.found is None and finding.needed]
    return " ".join(["No SIP ALG was seen, but not everything could be looked at.", *missing, *clean])


PROBE = Probe(
    "sip_rewriting",
    Options,
    Facts,
    measure,
    subject=lambda options: f"SIP ALG on the way to {options.domain} ({options.port}/{options.transport.upper()})",
    after=("srv", "path"),
)
