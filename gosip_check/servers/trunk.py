"""An emulated SIP trunk on loopback: DNS with the SRV records of two sites, and a SIP server on each, over UDP and TCP.

For the demo and the tests. `FAULTS` names its misbehaviours; each is one branch here. It proves that the tool's logic
holds together, never that its wire formats are right: for that the tests have servers that nobody here wrote.
"""

import contextlib
import socket
import struct
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from gosip_check.servers import edge
from gosip_check.servers.edge import split_sip
from gosip_check.servers.endpoint import Answers, Endpoint, Peer
from gosip_check.wire import sip
from gosip_check.wire.sip import WireError

FAULTS = {
    "one-site": "the SRV records name one site only, so there is nothing to move to",
    "nxdomain": "the trunk's SRV records do not exist",
    "dns-silent": "the resolver does not answer",
    "invents-names": "the resolver answers for names that do not exist",
    "outside-networks": "the SRV targets lead to addresses outside the provider's networks",
    "sip-alg": "the router's SIP ALG is on: it changes Via, Contact and SDP",
    "blocked-5060": "the firewall rejects what goes to the SIP port",
    "silent": "the SIP servers do not answer, as behind a firewall that drops, or where it is not whitelisted",
    "refused": "nothing listens where the SIP servers should be",
    "malformed": "something that is not SIP answers on the SIP port",
    "forbidden": "the SIP servers answer 403 Forbidden, which proves that the path works",
}

NETWORKS = ["127.22.184.0/24", "127.22.185.0/24"]
"""The provider's networks, moved to loopback: Linux answers on all of 127.0.0.0/8."""

_SITES = (("site-a", "127.22.184.27", 45), ("site-b", "127.22.185.27", 55))
_ELSEWHERE = (("site-a", "127.99.1.27", 45), ("site-b", "127.99.2.27", 55))
_TTL_S = 300


class Trunk:
    """`with Trunk(domain, service, transport, fault) as trunk`: serves until the block ends.

    dns_server: `ADDRESS:PORT` of its resolver, to be asked instead of the machine's own. port: that of both sites'
    SIP servers, one that was free.
    """

    def __init__(self, domain: str, service: str, transport: str, fault: str | None = None) -> None:
        self._domain, self._fault = domain.lower(), fault
        self._srv_name = f"_{service}._{transport}.{self._domain}"
        sites = _ELSEWHERE if fault == "outside-networks" else _SITES
        self._sites = sites[:1] if fault == "one-site" else sites
        self._stack = contextlib.ExitStack()
        self.port = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            if self._fault in ("refused", "blocked-5060"):
                self.port = _unused_port(self._sites[0][1])
            else:
                for server in self._sip_servers():
                    self.port = stack.enter_context(server).port
            dns_server = stack.enter_context(Endpoint("127.0.0.1", self._answer_dns, _split_dns, _frame_dns))
            self.dns_server = f"{dns_server.address}:{dns_server.port}"
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _sip_servers(self) -> list[Endpoint]:
        """One for each site, all on the same port; a port that is free at one address may be taken at another."""
        (_, first, _), *others = self._sites
        for last_try in (False,) * 19 + (True,):
            servers = [Endpoint(first, self._answer_sip, split_sip)]
            try:
                for _, address, _ in others:
                    servers.append(Endpoint(address, self._answer_sip, split_sip, port=servers[0].port))
                return servers
            except OSError:
                for server in servers:
                    server.close()
                if last_try:
                    raise
        raise AssertionError("unreachable")

    def _answer_dns(self, wire: bytes, peer: Peer, transport: str) -> Answers:
        del peer, transport
        try:
            query = dns.message.from_wire(wire)
        except (dns.exception.DNSException, ValueError):
            return None
        if self._fault == "dns-silent" or not query.question:
            return None
        reply = dns.message.make_response(query, recursion_available=True)
        reply.flags |= dns.flags.AA
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        records = self._records(name, dns.rdatatype.to_text(question.rdtype))
        if records is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif records:
            kind = dns.rdatatype.to_text(question.rdtype)
            reply.answer.append(dns.rrset.from_text(question.name, _TTL_S, "IN", kind, *records))
        return reply.to_wire()

    def _records(self, name: str, kind: str) -> list[str] | None:
        """The records of a name, [] where it has none of that kind, None where it does not exist."""
        if name == self._srv_name and self._fault != "nxdomain":
            targets = [f"{prio} 50 {self.port} {site}.{self._domain}." for site, _, prio in self._sites]
            return targets if kind == "SRV" else []
        for site, address, _ in self._sites:
            if name in (f"{site}.{self._domain}", self._domain):
                return [address] if kind == "A" else []
        if self._fault == "invents-names":
            return ["127.99.9.9"] if kind == "A" else []
        return None

    def _answer_sip(self, data: bytes, peer: Peer, transport: str) -> Answers:
        del transport
        if self._fault == "silent":
            return None
        if self._fault == "malformed":
            return b"\x16\x03\x01 220 mail.example.net \x1b]0;not SIP\x07\r\n\r\n"
        has_alg = self._fault == "sip-alg"
        seen_as = (edge.PUBLIC_ADDRESS, peer[1]) if has_alg else peer
        try:
            request = sip.parse(edge.outbound(data, peer[0]) if has_alg else data)
            if not isinstance(request, sip.Request) or request.method == "ACK":
                return None
            status, reason = (
                (403, "Forbidden") if self._fault == "forbidden" else _STATUS.get(request.method, _NOT_ALLOWED)
            )
            headers = [("Server", "gosip-check demo trunk"), ("Allow", "OPTIONS")]
            answer = sip.response(request, status, reason, to_tag="demo", received=seen_as, headers=headers)
            return edge.inbound(answer, peer[0]) if has_alg else answer
        except WireError:
            return None


_STATUS = {"OPTIONS": (200, "OK")}
_NOT_ALLOWED = (405, "Method Not Allowed")


def _unused_port(address: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        return int(sock.getsockname()[1])


def _split_dns(buffer: bytes) -> tuple[bytes | None, bytes]:
    """RFC 1035 4.2.2: a message in a stream follows its length in two octets."""
    if len(buffer) < 2 or len(buffer) < (end := 2 + struct.unpack_from("!H", buffer)[0]):
        return None, buffer
    return buffer[2:end], buffer[end:]


def _frame_dns(message: bytes) -> bytes:
    return struct.pack("!H", len(message)) + message
