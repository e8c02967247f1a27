"""The DNS of a rehearsal: the trunk's own names and nothing else. Pure: octets in, octets out.

Every other name is refused (RFC 1035 4.1.1): this is no open resolver.
"""

from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from gosip_check.heard import Place

Records = list[tuple[str, str, str]]
"(name, kind, data as text) of each record of an answer."


@dataclass(frozen=True)
class Names:
    """The trunk's domain and where its two sites are, site A first. Short TTL, so that a change is soon seen."""

    domain: str
    service: str
    transport: str
    sites: tuple[Place, Place]
    ttl_s: int = 30

    @property
    def _hosts(self) -> dict[str, str]:
        """The bare name leads to site A as well: a PBX without SRV can then rehearse the rest."""
        return {
            self.domain: self.sites[0][0],
            f"site-a.{self.domain}": self.sites[0][0],
            f"site-b.{self.domain}": self.sites[1][0],
        }

    def answer(self, query: dns.message.Message, swapped: bool) -> tuple[bytes, Records]:
        """The answer to a query with one question, and its records. swapped: site B has the better priority."""
        reply = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        if name != self.domain and not name.endswith(f".{self.domain}"):
            reply.set_rcode(dns.rcode.REFUSED)
            return reply.to_wire(), []
        reply.flags |= dns.flags.AA
        found = self._records(name, kind, swapped)
        if found is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        for data in found or ():  # each in a set of its own, for dnspython shuffles the records of a set
            reply.answer.append(dns.rrset.from_text(question.name, self.ttl_s, "IN", kind, data))
        return reply.to_wire(), [(name, kind, data.removesuffix(".")) for data in found or ()]

    def _records(self, name: str, kind: str, swapped: bool) -> list[str] | None:
        """The records of a name, [] where it has none of that kind, None where it does not exist."""
        if name == f"_{self.service}._{self.transport}.{self.domain}":
            best, worse = ("site-b", "site-a") if swapped else ("site-a", "site-b")
            ports = {"site-a": self.sites[0][1], "site-b": self.sites[1][1]}
            # The worse record comes first: a PBX that takes the first one is caught.
            order = ((60, worse), (45, best))
            return [f"{priority} 50 {ports[site]} {site}.{self.domain}." for priority, site in order] * (kind == "SRV")
        if name in self._hosts:
            return [self._hosts[name]] * (kind == "A")
        return None


def read_query(wire: bytes) -> dns.message.Message | None:
    """None for what is no query with one question."""
    try:
        query = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError):
        return None
    return query if len(query.question) == 1 and not query.flags & dns.flags.QR else None
