"""Ask one resolver one DNS question, as often as libc would, and keep apart all the ways in which it can fail.

Not a resolver: no cache, no search list, no second server. A time-out is never turned into "no such record".
"""

import struct
import time
from collections.abc import Iterable
from enum import StrEnum
from ipaddress import ip_address

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Record

_LONGEST_S = 10.0
"As long as libc waits for one resolver by default. A longer wait, where its file asks for one, is cut."

_COPIES = 2
"Of each try. libc sends one: the other makes good one lost packet, which is the fault of the line, not the resolver."

_PAUSE_S = 1.0
"From one try to the next where the resolver failed at once. libc makes none, and may meet the same trouble again."

_EDNS_OCTETS = 1200
"What glibc offers with `options edns0`."

_HEADER_OCTETS = 12
_CUT = dns.flags.QR | dns.flags.TC


class DnsStatus(StrEnum):
    """How a resolver dealt with a question.

    forbidden: this machine's own firewall does not let it be asked. not-asked: this machine has no way to it, or it
    would be a program of this machine that does not run. Neither says anything of the site.
    """

    ANSWERED = "answered"
    NO_RECORDS = "no-records"
    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    LAME = "lame"
    OTHER_ERROR = "other-error"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    FORBIDDEN = "forbidden"
    NOT_ASKED = "not-asked"
    MALFORMED = "malformed"

    @property
    def is_denial(self) -> bool:
        """The resolver says that there is no such record; everything else but an answer leaves the question open."""
        return self in (DnsStatus.NO_RECORDS, DnsStatus.NXDOMAIN)

    @property
    def is_of_this_machine(self) -> bool:
        """This machine kept the question from being asked."""
        return self in (DnsStatus.FORBIDDEN, DnsStatus.NOT_ASKED)

    @property
    def in_words(self) -> str:
        """Its name in DNS and what it means, for a person."""
        return _IN_WORDS.get(self, str(self))

    @property
    def is_final(self) -> bool:
        """To ask again would be of no use."""
        return self is DnsStatus.ANSWERED or self.is_denial or self.is_of_this_machine


_IN_WORDS = {
    DnsStatus.NO_RECORDS: "no such record",
    DnsStatus.NXDOMAIN: "NXDOMAIN (there is no such name)",
    DnsStatus.SERVFAIL: "SERVFAIL (it could not find out)",
    DnsStatus.REFUSED: "REFUSED (it answers nothing to this machine, or nothing about this name)",
    DnsStatus.LAME: "neither records nor a will to look for them",
    DnsStatus.OTHER_ERROR: "error",
}
"RFC 1035 4.1.1. A time-out and the like say enough by themselves."


class Resolver(Record, frozen=True):
    """A DNS server by address and port, as a person would write it: `192.168.1.1` or `127.0.0.1:5353`."""

    address: str
    port: int = 53

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address and self.port != 53 else self.address
        return host if self.port == 53 else f"{host}:{self.port}"


class StubOptions(Record, frozen=True):
    """How this machine's libc asks: the `options` of resolv.conf(5) that matter for one name, with its defaults.

    rotate: which resolver is asked first changes from question to question.
    """

    timeout_s: float = 5.0
    attempts: int = 2
    rotate: bool = False
    edns0: bool = False
    use_vc: bool = False


USUAL_OPTIONS = StubOptions()


class Reply:
    """What came of a question. `message` is there whenever a well-formed response came.

    rrset: the records of the name asked for, through its `aliases` (CNAMEs); ttl_s: the shortest life on that chain.
    rtt_ms: from the first copy sent to the response, None without one. truncated: the UDP response had TC set, and the
    question was asked again over TCP. detail: words for a failure, such as who sent an ICMP error. tries: libc would
    have asked so many times until then.
    """

    def __init__(self, status: DnsStatus, detail: str = "") -> None:
        self.status = status
        self.detail = detail
        self.message: dns.message.Message | None = None
        self.rrset: dns.rrset.RRset | None = None
        self.aliases: list[str] = []
        self.ttl_s = 0
        self.rtt_ms: float | None = None
        self.truncated = False
        self.tcp_retry_worked: bool | None = None
        self.tries = 1


def ask(context: Context, resolver: Resolver, name: str, kind: str, options: StubOptions = USUAL_OPTIONS) -> Reply:
    """Ask `resolver` for the `kind` records of `name`: UDP, and TCP when the response is truncated (RFC 7766 5).

    One that fails is asked again. Raises ProbeFailed only when the run was stopped: a resolver that this machine
    cannot or must not send to, such as one by IPv6 where there is none, says nothing about the others.
    """
    try_s = min(options.timeout_s, _LONGEST_S / options.attempts)
    tries = 0
    while True:
        edns = 0 if options.edns0 and not tries else -1  # RFC 6891 7: who does not know it is asked without
        question = dns.message.make_query(dns.name.from_text(name), kind, use_edns=edns, payload=_EDNS_OCTETS)
        left = options.attempts - tries
        started_s = time.monotonic()
        reply = _ask(context, resolver, question, options, try_s, left)
        tries += min(left, 1 + int((time.monotonic() - started_s) / try_s))
        reply.tries = tries
        if reply.status.is_final or tries >= options.attempts:
            return reply
        context.wait_until(started_s + min(_PAUSE_S, try_s))


def _ask(
    context: Context, resolver: Resolver, question: dns.message.Message, options: StubOptions, try_s: float, tries: int
) -> Reply:
    if options.use_vc:
        return _over_tcp(context, resolver, question, try_s)
    reply = _over_udp(context, resolver, question, try_s, tries)
    return _whole(context, resolver, question, try_s) if reply.truncated else reply


def _kept_back(failed: ProbeFailed) -> Reply:
    """What this machine itself cannot or must not send."""
    kind = failed.failure.kind
    if kind is FailureKind.INTERRUPTED:
        raise failed
    status = DnsStatus.FORBIDDEN if kind is FailureKind.PERMISSION else DnsStatus.NOT_ASKED
    return Reply(status, failed.failure.message.rstrip("."))


def _whole(context: Context, resolver: Resolver, question: dns.message.Message, try_s: float) -> Reply:
    """An answer that did not fit into UDP."""
    reply = _over_tcp(context, resolver, question, try_s)
    reply.truncated, reply.tcp_retry_worked = True, reply.message is not None
    if reply.message is None:
        reply.detail = f"its answer did not fit into UDP, and over TCP {reply.detail}"
    return reply


def _over_udp(context: Context, resolver: Resolver, question: dns.message.Message, try_s: float, tries: int) -> Reply:
    """Every copy has the same id, and all of them one socket: an answer to the first that comes late is one as well.

    Garbage is noted and waited past, as resolvers do.
    """
    wire = question.to_wire()
    trouble = Reply(DnsStatus.TIMEOUT, f"no answer within {tries * try_s:g} s")
    try:
        with sockets.udp_socket(context.link, sockets.family_of(resolver.address)) as sock:
            started_s = time.monotonic()
            for copy in range(1, tries * _COPIES + 1):
                sockets.send_to(sock, wire, resolver.address, resolver.port)
                until_s = started_s + copy * try_s / _COPIES
                for _, datagrams, errors in sockets.arrivals(context, [sock], until_s):
                    for datagram in datagrams:
                        reply = _read(datagram.data, question)
                        if not datagram.is_from(resolver.address, resolver.port):
                            if reply.message is not None:
                                trouble = _from_elsewhere(datagram, resolver)
                            continue
                        if reply.status is DnsStatus.MALFORMED and not reply.truncated:
                            trouble = reply
                            continue
                        reply.rtt_ms = (datagram.at_s - started_s) * 1000
                        return reply
                    for icmp in errors:
                        return _not_reached(icmp.sender, icmp.name)
    except ProbeFailed as failed:
        return _kept_back(failed)
    return trouble


def _not_reached(sender: str, words: str) -> Reply:
    """An ICMP error. From a loopback address it says that no resolver runs there, which is this machine's matter."""
    status = DnsStatus.NOT_ASKED if ip_address(sender).is_loopback else DnsStatus.UNREACHABLE
    return Reply(status, f"{sender} says {words}")


def _from_elsewhere(datagram: sockets.Datagram, resolver: Resolver) -> Reply:
    """Another address or port answered, as a resolver with two addresses may: libc takes no such answer."""
    sender = Resolver(datagram.address, datagram.port)
    return Reply(DnsStatus.MALFORMED, f"only {sender} answered in place of {resolver}; no machine takes that answer")


def _over_tcp(context: Context, resolver: Resolver, question: dns.message.Message, try_s: float) -> Reply:
    """RFC 1035 4.2.2: each message is preceded by its length in two octets."""
    wire = question.to_wire()
    started_s = time.monotonic()
    until_s = started_s + try_s
    try:
        with sockets.tcp_connect(context, resolver.address, resolver.port, try_s) as sock:
            sock.sendall(struct.pack("!H", len(wire)) + wire)
            received = b""
            while len(received) < 2 or len(received) < 2 + struct.unpack_from("!H", received)[0]:
                chunk = sockets.receive(context, sock, until_s)
                if chunk is None:
                    return Reply(DnsStatus.TIMEOUT, f"no answer came within {try_s:g} s")
                if not chunk:
                    return Reply(DnsStatus.MALFORMED, "closed the TCP connection in the middle of its answer")
                received += chunk
    except sockets.ConnectFailed as failed:
        return Reply(DnsStatus.UNREACHABLE, failed.failure.message.rstrip("."))
    except ProbeFailed as failed:
        return _kept_back(failed)
    except OSError as error:
        return Reply(DnsStatus.UNREACHABLE, f"the connection broke: {error.strerror}")
    reply = _read(received[2:], question)
    reply.rtt_ms = (time.monotonic() - started_s) * 1000
    return reply


def _read(wire: bytes, question: dns.message.Message) -> Reply:
    try:
        message = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError) as error:
        reply = Reply(DnsStatus.MALFORMED, f"its answer is not DNS ({type(error).__name__})")
        reply.truncated = _is_cut(wire, question)
        return reply
    if not isinstance(message, dns.message.QueryMessage) or not question.is_response(message):
        return Reply(DnsStatus.MALFORMED, "its answer belongs to another question")
    if message.answer and message.rcode() == dns.rcode.NOERROR:
        reply = _answer(message)
    else:
        reply = Reply(_status(message))
        if reply.status is DnsStatus.OTHER_ERROR:
            reply.detail = _rcode_in_words(message.rcode())
    reply.message = message
    reply.truncated = bool(message.flags & dns.flags.TC)
    return reply


def _is_cut(wire: bytes, question: dns.message.Message) -> bool:
    """Some servers cut a long answer in the middle of a record; the header still says so (RFC 1035 4.1.1)."""
    if len(wire) < _HEADER_OCTETS:
        return False
    answer_id, flags = struct.unpack_from("!HH", wire)
    return bool(answer_id == question.id and flags & _CUT == _CUT)


def _answer(message: dns.message.QueryMessage) -> Reply:
    """The records of the name asked for, by way of its aliases; records of other names are none of the answer."""
    try:
        chain = message.resolve_chaining()
    except dns.exception.DNSException:  # aliases in a circle
        reply = Reply(DnsStatus.NO_RECORDS, "its aliases lead nowhere")
        reply.aliases = _targets(rrset for rrset in message.answer if rrset.rdtype == dns.rdatatype.CNAME)
        return reply
    if chain.answer is not None:
        reply = Reply(DnsStatus.ANSWERED)
    elif not chain.cnames:
        reply = Reply(DnsStatus.OTHER_ERROR, "its answer is about another name or type")
    elif any(rrset.rdtype == dns.rdatatype.SOA for rrset in message.authority):  # RFC 2308 2.2
        reply = Reply(DnsStatus.NO_RECORDS)
    else:
        reply = Reply(DnsStatus.OTHER_ERROR, "it gave an alias and did not follow it")
    reply.rrset, reply.ttl_s, reply.aliases = chain.answer, chain.minimum_ttl, _targets(chain.cnames)
    return reply


def _targets(cnames: Iterable[dns.rrset.RRset]) -> list[str]:
    return [item.target.to_text(omit_final_dot=True) for rrset in cnames for item in rrset]


_RCODES = {
    dns.rcode.FORMERR: "it does not understand the question",
    dns.rcode.NOTIMP: "it does not answer such questions",
    dns.rcode.NOTAUTH: "it does not answer for this name",
    dns.rcode.BADVERS: "it does not know this version of EDNS",
}
"RFC 1035 4.1.1, RFC 6895 2.3: those that a resolver may give to a plain question."


def _rcode_in_words(rcode: dns.rcode.Rcode) -> str:
    name = dns.rcode.to_text(rcode)
    return f"{name}: {_RCODES.get(rcode, f'error {int(rcode)} of RFC 6895')}"


def _status(message: dns.message.Message) -> DnsStatus:
    rcode = message.rcode()
    if rcode == dns.rcode.NOERROR:
        # Neither an authority for the name nor willing to find one: a referral, or nothing at all.
        lame = not message.flags & (dns.flags.AA | dns.flags.RA)
        return DnsStatus.LAME if lame else DnsStatus.NO_RECORDS
    return {
        dns.rcode.NXDOMAIN: DnsStatus.NXDOMAIN,
        dns.rcode.SERVFAIL: DnsStatus.SERVFAIL,
        dns.rcode.REFUSED: DnsStatus.REFUSED,
    }.get(rcode, DnsStatus.OTHER_ERROR)
