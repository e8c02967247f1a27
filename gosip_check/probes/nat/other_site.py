"""Does what one site of the provider sends arrive at a port that has spoken only to the other site?

Two sockets, which nothing was sent from before. The first asks one site, which says at what address and port it sees
that socket. The second asks the other site without `rport`, and its Via names that port: the answer goes there (RFC
3261 18.2.2). So a datagram that the port never asked for comes from where it never sent to (filtering, RFC 4787 5).
The second socket asks for an answer at its own port first: a silence counts only where that one came, and where the
server did not go by the port that a request comes from (RFC 3581 4).
"""

import secrets
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.dns.servers import Server, servers_inside
from gosip_check.probes.net import sockets
from gosip_check.probes.path import hops
from gosip_check.probes.path.own_request import VIA_NAME
from gosip_check.probes.path.stand_in import without_stand_ins
from gosip_check.probes.probe import Context, Probe, ProbeFailed, side_by_side
from gosip_check.probes.sip import exchange, mapping
from gosip_check.probes.sip.transactions import Transaction, run
from gosip_check.records import FailureKind, Record
from gosip_check.wire.sip import Response, WireError

_TIMEOUT_S = 3.0
"Three copies go out, at 0, 0.5 and 1.5 s: one lost packet is no closed door."

_PORTS = range(20000, 32000)
"Systems give none of these out by themselves, so no earlier socket of this run has opened the way to one."

_TRIES = 5

_KEPT_OUT = "A rule for the PBX alone is not seen from here: call from the other site to know."


class Options(probe.Options, frozen=True):
    """networks: only servers inside are asked."""

    domain: str
    transport: Literal["udp", "tcp"]
    networks: list[str]


class Trial(Record, frozen=True):
    """One server was to answer at a port that had spoken to another server alone. came: None where that is open."""

    asked: str
    spoken_to: str
    came: bool | None
    detail: str


class Facts(probe.Facts, frozen=True):
    """other_site_comes_in: an answer came, and none that was to come did not; None where nothing was decided.

    A port of this machine that is kept out says nothing of a rule that is for the PBX alone: None as well.
    """

    trials: list[Trial]
    other_site_comes_in: bool | None


def measure(options: Options, context: Context) -> Facts:
    """Some four seconds where the other site is kept out. Raises ProbeFailed: interrupted, or this machine's fault."""
    path = context.facts_of(hops.Facts)
    if path is not None and path.is_this_machine:
        return _facts([], f"{path.destination} is this machine itself: nothing on the way keeps anything out.", True)
    if options.transport != "udp":
        return _facts([], "Signalling is TCP here: the connection that this side opens is the only way in.")
    servers = without_stand_ins(context, servers_inside(context, options.networks))
    first = servers[0] if servers else None
    second = next((each for each in servers if first and each.address != first.address), None)
    if first is None or second is None:
        return _facts([], "It takes two servers of the provider, and DNS names fewer.")
    context.say("NAT: does the other site come in?")
    pairs = [(second, first), (first, second)]
    return facts_of(side_by_side(lambda pair: _trial(context, options.domain, *pair), pairs))


def facts_of(trials: Sequence[Trial]) -> Facts:
    """What the trials say together."""
    came = {trial.came for trial in trials}
    said = [*dict.fromkeys(trial.detail for trial in trials), *([_KEPT_OUT] if False in came else [])]
    return _facts(list(trials), " ".join(said), True if True in came and False not in came else None)


def _facts(trials: list[Trial], sentence: str, decided: bool | None = None) -> Facts:
    return Facts(trials=trials, other_site_comes_in=decided, evidence={"other_site_comes_in": sentence})


def _trial(context: Context, domain: str, asked: Server, spoken_to: Server) -> Trial:
    """Raises ProbeFailed when this machine cannot send, or the run was stopped."""

    def outcome(came: bool | None, detail: str) -> Trial:
        return Trial(asked=asked.address, spoken_to=spoken_to.address, came=came, detail=detail)

    with ExitStack() as opened:
        silent, asking = (opened.enter_context(_fresh_socket(context)) for _ in range(2))
        seen = mapping.ask(context, silent, domain, [spoken_to])
        own = mapping.ask(context, asking, domain, [asked])
        if not seen or not own:
            mute = asked if seen else spoken_to
            return outcome(None, f"{mute.address} did not say where it saw a request come from.")
        if seen[0].address != own[0].address:
            both = f"{spoken_to.address} sees this line as {seen[0].address}, {asked.address} as {own[0].address}"
            return outcome(None, f"{both}, so an answer cannot be sent to the same place.")
        control = _ask_without_rport(context, domain, asked, asking, own[0].port)
        if control.final is None:
            return outcome(None, f"{asked.address} does not answer where nobody asks for the port it came from.")
        if not _goes_by_via(control.final):
            return outcome(None, _forced(asked))
        answer = _ask_without_rport(context, domain, asked, asking, seen[0].port, silent)
    port = f"port {seen[0].port}, which had spoken to {spoken_to.address} alone"
    if answer.final is None:
        return outcome(False, f"{asked.address} was to answer at {port}: nothing arrived, {answer.sent} times.")
    if answer.answered_at is not silent or not _goes_by_via(answer.final):
        return outcome(None, _forced(asked))
    return outcome(True, f"An answer of {asked.address} arrived at {port}.")


def _fresh_socket(context: Context) -> socket.socket:
    """Raises ProbeFailed where this machine refuses it."""
    for _ in range(_TRIES):
        try:
            return sockets.udp_socket(context.link, port=secrets.choice(_PORTS))
        except ProbeFailed as failed:
            if failed.failure.kind is FailureKind.INTERRUPTED:
                raise
    return sockets.udp_socket(context.link)


def _ask_without_rport(
    context: Context, domain: str, server: Server, sock: socket.socket, port: int, listener: socket.socket | None = None
) -> Transaction:
    """The host in Via is one that no ALG takes for the site's, so the server goes by the address that it sees."""
    request = exchange.options(context, domain, "UDP", server.address, port, via_host=VIA_NAME, rport=False)
    transaction = Transaction(context, sock, server, request, _TIMEOUT_S)
    run(context, [transaction], listener)
    return transaction


def _goes_by_via(response: Response) -> bool:
    """Its Via bears no `rport`: nobody put one there, neither the server nor a device on the way."""
    try:
        return "rport" not in response.vias[0].params
    except WireError:
        return False


def _forced(server: Server) -> str:
    return f"{server.address} answers at the port that asked, whatever Via says, so nothing can be seen."


PROBE = Probe(
    "other_site",
    Options,
    Facts,
    measure,
    subject=lambda options: f"what the other site of {options.domain} sends",
    after=("srv", "path", "stand_in"),
    rest_s=lambda _: 4.0,
)
