"""Tries UDP ports at the hops behind the edge, and finds the edges of what is blocked there. Says nothing of it.

A port that is not quoted there while controls around it are, again and again, is blocked.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gosip_check.probes.firewall import port_sample
from gosip_check.probes.firewall.port_sample import Run
from gosip_check.probes.path import hops
from gosip_check.probes.path.asking import Desk, Fate, Trial, ask
from gosip_check.probes.path.plan import FEWEST_SILENCES
from gosip_check.probes.path.quotes import control
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind

_MOST_HOPS = 4
_MOST_PASSES = 4
_MOST_LOCATED = 4

Endpoint = tuple[str, int]
"An address and a port."


@dataclass
class Search:
    """Tries ports and keeps what became of each.

    about: addresses towards which something is blocked. lost_behind: the last hop that still saw the datagram.
    """

    context: Context
    path: hops.Facts
    ports: tuple[int, int]
    seed: int
    trials: dict[Endpoint, Trial] = field(default_factory=dict)
    about: list[str] = field(default_factory=list)
    lost_behind: dict[Endpoint, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ttls = [hop.ttl for hop in self.path.beyond_the_edge()][:_MOST_HOPS]
        if not self._ttls or self.path.control_port is None:
            raise ProbeFailed(
                FailureKind.UNSUPPORTED,
                "No hop behind the edge quotes datagrams that die there, so none can be proven open that way.",
            )

    def ask(self, endpoints: Sequence[Endpoint], until_s: float, *, enough: int | None = None) -> None:
        """At any of the hops behind the edge, which each ration for themselves."""
        shots = [control(address, self._ttls[0], port) for address, port in endpoints]
        trials = ask(self.context, shots, until_s, ttls=self._ttls, enough=enough, what="Firewall: media ports")
        self.trials.update(zip(endpoints, trials, strict=True))

    def blocked_at(self, endpoint: Endpoint) -> bool | None:
        """None where it could not be decided, or was not tried."""
        trial = self.trials.get(endpoint)
        if trial is None or trial.fate is Fate.UNDECIDED:
            return None
        refusal = trial.reaction.icmp
        if trial.fate is not Fate.REFUSED or refusal is None:
            return trial.fate is Fate.DROPPED
        if refusal.sender == endpoint[0]:
            return False  # it got as far as the destination itself
        at_the_edge = refusal.sender in [hop.address for hop in self.path.hops if hop.ttl <= self.path.edge_ttl]
        return True if at_the_edge or refusal.kind is not FailureKind.UNREACHABLE else None

    def all_decided(self, endpoints: Iterable[Endpoint]) -> bool:
        return all(self.blocked_at(endpoint) is not None for endpoint in endpoints)

    def known(self, address: str) -> dict[int, bool]:
        """Port -> whether it is blocked, of all that is decided towards one address."""
        states = {port: self.blocked_at((own, port)) for own, port in self.trials if own == address}
        return {port: blocked for port, blocked in states.items() if blocked is not None}

    def runs(self) -> list[tuple[str, Run]]:
        """What is blocked towards the addresses that the search is about."""
        return [(address, run) for address in self.about for run in port_sample.runs(self.known(address), *self.ports)]

    def find_edges(self, networks: Mapping[str, Sequence[str]], until_s: float) -> None:
        """Find the edges of what is blocked, then look for holes in it, until nothing new comes up or time is over.

        In each network towards one address: rules are made for networks, not for single addresses.
        """
        for addresses in networks.values():
            self.about += [address for address in addresses if True in self.known(address).values()][:1]
        for _ in range(_MOST_PASSES):
            while time.monotonic() < until_s:
                outer = [(address, port) for address, run in self.runs() for port in port_sample.next_ports(run)]
                if not outer:
                    break
                self.ask(outer, until_s, enough=1)  # a guide only: where it ends is tried again below
                if not self.all_decided(outer):
                    return
            unsure = [(address, port) for address, run in self.runs() for port in self.unsure(address, run)]
            if not unsure or time.monotonic() > until_s:
                return
            self.ask(unsure, until_s)

    def edges_found(self) -> bool:
        """Of everything that is blocked."""
        return all(run.is_settled and not self.unsure(address, run) for address, run in self.runs())

    def proof(self) -> str:
        """Why what is dropped is not bad luck, as a sentence; empty where nothing is."""
        silences = [each.silences for each in self.trials.values() if each.fate is Fate.DROPPED]
        often = min((count for count in silences if count >= FEWEST_SILENCES), default=0)
        loss = self.context.shared(Desk).loss
        return (
            f" A port that is dropped was silent {often} times or more. "
            f"Two controls right behind it came through each time (at {loss:.0%} loss or less)."
            if often
            else ""
        )

    def unsure(self, address: str, run: Run) -> list[int]:
        """The ports that must be tried (again) before the run may be called blocked from end to end."""
        sure = self.sure(address)
        return [port for port in {run.low, run.high} if port not in sure] + port_sample.inside(run, sure, self.seed)

    def sure(self, address: str) -> set[int]:
        """The ports that are known to be blocked, not by a single loss only."""
        trials = {port: self.trials[address, port] for port, blocked in self.known(address).items() if blocked}
        return {
            port for port, trial in trials.items() if trial.fate is Fate.REFUSED or trial.silences >= FEWEST_SILENCES
        }

    def locate(self, until_s: float) -> None:
        """Who drops: the last hop that still sees the datagram, for one port of each run."""
        ttls = [hop.ttl for hop in self.path.hops if hop.ttl < self._ttls[0]]
        endpoints = [(address, run.low) for address, run in self.runs()][:_MOST_LOCATED]
        shots = [control(address, ttl, port) for address, port in endpoints for ttl in ttls]
        for trial in ask(self.context, shots, until_s):
            if trial.fate is Fate.PASSED:
                self.lost_behind[trial.shot.address, trial.shot.port] = trial.answered_by
