"""Do the provider's answers tell of somebody who rewrites our SIP? The light half of the ALG question.

Two OPTIONS to each server, one after the other and politely apart: see via_pair.py. Proof counts; a clean look says
that these answers were clean, and not that no ALG is there: for that `sip_rewriting` sees what leaves the site as well.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.alg.findings import from_answers
from gosip_check.probes.alg.rewriting import ChangedLine
from gosip_check.probes.alg.via_pair import Answer, Way, ask_pairs, ask_pairs_over_tcp
from gosip_check.probes.path import hops
from gosip_check.probes.path.hops import Server
from gosip_check.probes.probe import Context, Probe

_WAYS: tuple[Way, ...] = ("literal", "name")


class Options(probe.Options, frozen=True):
    """The targets come from DNS; none outside `networks` is asked."""

    domain: str
    transport: Literal["udp", "tcp"]
    networks: list[str]


class Facts(probe.Facts, frozen=True):
    """rewriting_seen: True on proof, seen twice where one server's word is all; None where no server answered."""

    transport: Literal["udp", "tcp"]
    asked: int
    answered: int
    rewriting_seen: bool | None
    message: str | None
    changes: list[ChangedLine]


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when this machine cannot send, or the run was stopped."""
    servers = hops.servers(context, options.networks)
    context.say(f"SIP answers of {len(servers)} server(s)")
    answers = _ask(options, context, servers)
    findings = from_answers(answers)
    if any(finding.to_be_confirmed for finding in findings):
        again = from_answers(_ask(options, context, servers))
        findings = [finding.confirmed_by(again) for finding in findings]
    proof = next((finding for finding in findings if finding.found), None)
    undecided = proof is None and any(finding.found is None and finding.needed for finding in findings)
    words = proof.words if proof else " ".join(finding.words for finding in findings if finding.needed)
    return Facts(
        transport=options.transport,
        asked=len(answers),
        answered=sum(answer.response is not None for answer in answers),
        rewriting_seen=None if undecided else proof is not None,
        message=proof.message if proof else None,
        changes=[ChangedLine(where=c.where, before=c.before, after=c.after) for c in (proof.changes if proof else ())],
        evidence={"rewriting_seen": words},
    )


def _ask(options: Options, context: Context, servers: Sequence[Server]) -> list[Answer]:
    """All servers side by side, and each of them one OPTIONS at a time; a silent one is not asked again."""
    if not servers:
        return []
    with ThreadPoolExecutor(len(servers)) as pool:
        found = pool.map(lambda server: _ask_one(options, context, server), servers)
        return [answer for answers in found for answer in answers]


def _ask_one(options: Options, context: Context, server: Server) -> list[Answer]:
    ask = ask_pairs if options.transport == "udp" else ask_pairs_over_tcp
    answers: list[Answer] = []
    for way in _WAYS:
        with context.turn(server.address):
            answers += ask(context, options.domain, [server], (way,))
        if answers[-1].response is None:
            break
    return answers


PROBE = Probe(
    "sip_answers",
    Options,
    Facts,
    measure,
    subject=lambda options: f"what SIP answers over {options.transport.upper()} bring back from {options.domain}",
    after=("srv",),
)
"""Its requirement should need `firewall.signalling`: so it comes after it, and a silent server is not asked in vain."""
