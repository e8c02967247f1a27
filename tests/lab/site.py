"""A whole site and a whole provider on one machine: real servers in network namespaces, no link to the outside.

    lan -------------------- cpe ---------------------- isp ---------------------- go
    192.168.1.10   192.168.1.1  192.88.99.2   192.88.99.1  192.31.196.1   192.31.196.2
    the laptop               NAT, firewall,             a router; a Knot           217.22.184.27 and 217.22.185.27:
                             DNS forwarder              that lies at               Kamailio; 217.22.184.53: Knot
                                                        192.88.99.53               (the provider's real networks);
                                                                                   40.130.246.217 and .218: management;
                                                                                   192.31.196.120 to .123: chrony

    with site() as lab:
        lab.enter("drop-5060")                    # a row of states.STATES, from a clean start
        lab.run("lan", ["dig", "example"])        # a command in a room; raises when it fails
        lab.nft("cpe", "table ip mine { ... }")   # a rule set of your own, gone at the next enter()
        lab.cut("isp", site=2)                    # drop what goes to one of the provider's sites
        lab.kamailio.answer(404)                  # what OPTIONS get; kamailio.SILENCE for nothing
        lab.knot.serve(lines)                     # other records for gotel.com.mt

Routers ration their ICMP errors as Linux does: six at once to each destination, then one a second. Nothing here touches
that, so a new site is the only one with full buckets. `site(hops=GENEROUS)` is the kinder site whose kernels quote
whatever dies in them: for tests whose subject is something else, and which would not be decided otherwise.
`site(cables=...)` takes a longer chain (a second NAT between isp and go, say) with lan, cpe, isp and go in it.
Linux network namespaces need root; `missing()` says in words what this machine lacks. Nothing is left behind after the
`with`, and what a killed run left is swept away by the next one.
192.88.99/24 and 192.31.196/24 are special-purpose ranges in which no customer lives (RFC 7526, RFC 7535), yet they are
neither private nor documentation ranges: what a tool says of a public address, it says of these.
"""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from . import rulesets
from .chrony import Chrony
from .kamailio import MANAGEMENT, Kamailio
from .knot import TIME_SERVERS, Knot
from .namespaces import COMMAND_TIMEOUT_S, Cable, Rooms, rooms
from .states import OUTSIDE, SITES, STATES, State

CABLES = (
    Cable("lan", "192.168.1.10", "cpe", "192.168.1.1"),
    Cable("cpe", "192.88.99.2", "isp", "192.88.99.1"),
    Cable("isp", "192.31.196.1", "go", "192.31.196.2"),
)
RESOLVER = "217.22.184.53"
LYING_RESOLVER = "192.88.99.53"
CERTIFICATE_NAMES = ("trunke.gotel.com.mt", "zt.trunke.gotel.com.mt", "st.trunke.gotel.com.mt")

Hops = Literal["as Linux", "generous"]
AS_LINUX: Hops = "as Linux"
GENEROUS: Hops = "generous"
"How the kernels of a site ration their ICMP errors: as they do by themselves, or not at all."

_TOOLS = {
    "ip": "iproute2",
    "nft": "nftables",
    "conntrack": "conntrack",
    "knotd": "knot",
    "kamailio": "kamailio",
    "kamcmd": "kamailio",
    "chronyd": "chrony",
    "sipsak": "sipsak",
    "turnserver": "coturn",
    "nmap": "nmap",
    "dig": "bind9-dnsutils",
    "openssl": "openssl",
}


def missing() -> str | None:
    """Why this machine cannot hold the lab, as one sentence; None when it can."""
    if os.geteuid() != 0:
        return "the lab needs root: it makes network namespaces"
    absent = {package for tool, package in _TOOLS.items() if shutil.which(tool) is None}
    if not any(Path("/usr/lib").glob("*/kamailio/modules/tls.so")):
        absent.add("kamailio-tls-modules")
    if absent:
        return f"the lab needs these Debian packages: {', '.join(sorted(absent))}"
    try:
        with rooms(CABLES[:1], {}, {}) as trial:
            trial.run("cpe", ["nft", "list", "ruleset"])
    except subprocess.CalledProcessError as error:
        return f"this machine allows no network namespaces with nftables: {error.stderr.strip()}"
    return None


class Lab:
    """A running site. Made by `site()` only."""

    def __init__(self, built: Rooms, algorithm: str, one_time_nonces: bool, hops: Hops) -> None:
        self.rooms = built
        self.state = "none"
        self.nft("cpe", rulesets.HOME_ROUTER)
        if hops == GENEROUS:
            for room in built.names:
                self.run(room, ["sysctl", "-qw", "net.ipv4.icmp_ratelimit=0"])
        self._own_tables = {room: self._tables(room) for room in built.names}
        self.knot = Knot(built, "go", RESOLVER)
        self.liar = Knot(built, "isp", LYING_RESOLVER)
        self.chrony = Chrony(built, "go")
        self.kamailio = Kamailio(built, "go", [*SITES, OUTSIDE], CERTIFICATE_NAMES, algorithm, one_time_nonces)

    def run(
        self,
        room: str,
        argv: Sequence[str],
        *,
        timeout_s: float = COMMAND_TIMEOUT_S,
        check: bool = True,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a room to its end. Raises CalledProcessError (with `check`) and TimeoutExpired."""
        return self.rooms.run(room, argv, timeout_s=timeout_s, check=check, stdin=stdin, environment=environment)

    def nft(self, room: str, text: str) -> None:
        """Apply an nftables script. Tables that it makes are gone at the next `enter()`; changes to ours are not."""
        self.rooms.nft(room, text)

    def cut(self, room: str, site: int) -> None:
        """Let a room drop what goes to site 1 or 2 of the provider, until the next `enter()`."""
        network = SITES[site - 1].rpartition(".")[0] + ".0/24"
        self.nft(room, rulesets.forward(f"ip daddr {network} drop", table=f"cut{site}"))

    def flush(self) -> None:
        """Forget every connection. A flow that conntrack knows keeps the rules it began with."""
        for room in self.rooms.names:
            self.run(room, ["conntrack", "-F"])

    def enter(self, name: str) -> State:
        """Leave the state the site is in, and bring about one of STATES. Returns once the servers answer that way."""
        wanted = STATES[name]
        for room in self.rooms.names:
            for table in self._tables(room) - self._own_tables[room]:
                self.nft(room, rulesets.without(table))
        if self.state != "none" and not STATES[self.state].lan_up:
            self.rooms.link_up("lan", "to-cpe")
        self.knot.serve(wanted.zone)
        self.liar.serve(wanted.lie)
        for address, status in zip(SITES, wanted.options_status, strict=True):
            self.kamailio.answer(status, address)
        for room, text in wanted.rules.items():
            self.nft(room, text)
        if not wanted.lan_up:
            self.rooms.link_down("lan", "to-cpe")
        self.flush()
        self.state = name
        return wanted

    def _tables(self, room: str) -> set[str]:
        listed = self.run(room, ["nft", "list", "tables", "ip"]).stdout
        return set(re.findall(r"^table ip (\S+)", listed, re.MULTILINE))


@contextlib.contextmanager
def site(
    cables: Sequence[Cable] = CABLES, algorithm: str = "MD5", one_time_nonces: bool = False, hops: Hops = AS_LINUX
) -> Iterator[Lab]:
    """Build the site, start the provider's servers, wait until they answer, and take all of it away again.

    algorithm: of the registrar's challenges. one_time_nonces: each is good for one request, and it never says stale.
    hops: GENEROUS, or as Linux does.
    """
    held = {"go": [*SITES, OUTSIDE, RESOLVER, *MANAGEMENT, *TIME_SERVERS], "isp": [LYING_RESOLVER]}
    own = next(cable.right_address for cable in cables if cable.left == "lan")
    resolvers = {"lan": [own, RESOLVER], "isp": [RESOLVER], "go": [RESOLVER]}
    with rooms(cables, held, resolvers) as built:
        yield Lab(built, algorithm, one_time_nonces, hops)
