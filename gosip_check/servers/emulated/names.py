"""How an emulated PBX finds the trunk: NAPTR, SRV and addresses, asked of the one DNS server that it is given."""

import itertools

import dns.exception
import dns.message
import dns.rdatatype

from gosip_check.heard import Place
from gosip_check.servers.emulated.setup import Setup
from gosip_check.servers.virtual import Script, Scripts, VirtualWorld, Wait

_SIP_PORT = 5060
_WITHIN_S = 3.0


class Resolver:
    """dns_place: of the server. scripts: those of who asks."""

    def __init__(self, world: VirtualWorld, setup: Setup, dns_place: Place, scripts: Scripts) -> None:
        self._setup, self._server, self._scripts = setup, dns_place, scripts
        self._sock = world.bound((setup.here[0], 0), lambda data, _: self._answered(data))
        self._ids = itertools.count(1)
        self._known: list[Place] = []

    def close(self) -> None:
        """Nothing is asked any more."""
        self._sock.close()

    def sites(self) -> Script[list[Place]]:
        """The trunk's sites, best first."""
        behaviour = self._setup.behaviour
        if behaviour.asks == "nothing":
            return [self._setup.sites[0]]
        if not self._known or not behaviour.asks_once:
            self._known = yield from self._by_srv() if behaviour.asks == "srv" else self._by_address()
        return self._known

    def _by_address(self) -> Script[list[Place]]:
        return [(address, _SIP_PORT) for address in (yield from self._look_up(self._setup.slip.domain, "A"))]

    def _by_srv(self) -> Script[list[Place]]:
        """NAPTR is asked for first and not needed (RFC 3263 4.1)."""
        domain = self._setup.slip.domain
        yield from self._look_up(domain, "NAPTR")
        records = [text.split() for text in (yield from self._look_up(f"_sip._udp.{domain}", "SRV"))]
        if not self._setup.behaviour.takes_first_record:
            records.sort(key=lambda record: int(record[0]))
        places = []
        for _, _, port, target in records:
            places += [(address, int(port)) for address in (yield from self._look_up(target, "A"))]
        return places

    def _look_up(self, name: str, kind: str) -> Script[list[str]]:
        """The data of each record; empty where there is none, and where nothing was answered."""
        query = dns.message.make_query(name, kind, id=next(self._ids) % 65536)
        self._sock.sendto(query.to_wire(), self._server)
        reply = yield Wait(_WITHIN_S, ("DNS", query.id))
        wanted = dns.rdatatype.from_text(kind)
        found = reply.answer if isinstance(reply, dns.message.Message) else []
        return [record.to_text() for records in found if records.rdtype == wanted for record in records]

    def _answered(self, data: bytes) -> None:
        try:
            reply = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return
        self._scripts.tell(("DNS", reply.id), reply)
