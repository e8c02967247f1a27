"""Tries UDP ports at the hops behind the edge, and finds the edges of what is blocked there. Says nothing of it.

A port that is not quoted there while controls around it are, again and again, is blocked. What a hop quotes costs an
error of its ration, what the edge drops costs none. So for an edge a row of ports is tried from the blocked end on, and
ends with the first that is quoted: an error or two, however long the row is. What was silent in it is a guess, and the
ends that guesses lead to are tried again like every other port.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gosip_check.probes.firewall import port_sample
from gosip_check.probes.firewall.port_sample import Run
from gosip_check.probes.path import hops
from gosip_check.probes.path.asking import Desk, Fate, Trial, ask, decide, seek, trial_of
from gosip_check.probes.path.plan import FEWEST_SILENCES
from gosip_check.probes.path.quotes import control
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind

_MOST_HOPS = 4
_MOST_PASSES = 4
_MOST_LOCATED = 4
_ROW = 64
"So many ports of a row: a gap of 4,000 is searched in two rows."
_MOST_IN_VAIN = 3
_SPARE = 3

Endpoint = tuple[str, int]
"An address and a port."


@dataclass
class Search:
    """Tries ports and keeps what became of each.

    guessed: port -> blocked, by address: what is likely, and not proven. about: addresses towards which something is
    blocked. lost_behind: the last hop that still saw the datagram.
    """

    context: Context
    path: hops.Facts
    ports: tuple[int, int]
    seed: int
    trials: dict[Endpoint, Trial] = field(default_factory=dict)
    guessed: set[Endpoint] = field(default_factory=set)
    about: list[str] = field(default_factory=list)
    lost_behind: dict[Endpoint, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ttls = [hop.ttl for hop in self.path.beyond_the_edge()][:_MOST_HOPS]
        if not self._ttls or self.path.control_port is None:
            raise ProbeFailed(
                FailureKind.UNSUPPORTED,
                "No hop behind the edge quotes datagrams that die there, so none can be proven open that way.",
            )

    def ask(self, endpoints: Sequence[Endpoint], until_s: float, *, expected: bool = True) -> None:
        """At any of the hops behind the edge, which each ration for themselves. expected: most of them are open."""
        shots = [control(address, self._ttls[0], port) for address, port in endpoints]
        trials = [trial_of(shot, self._ttls, expected=expected) for shot in shots]
        try:
            decide(self.context, trials, until_s, what="Firewall: media ports")
        finally:
            self._keep(zip(endpoints, trials, strict=True))

    def _keep(self, tried: Iterable[tuple[Endpoint, Trial]]) -> None:
        """What was decided before is not lost where there was no time to try it again."""
        for endpoint, trial in tried:
            if trial.fate is not Fate.UNDECIDED or endpoint not in self.trials:
                self.trials[endpoint] = trial

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
        """Port -> whether it is blocked, of all that is decided or guessed towards one address."""
        guesses = {port: True for own, port in self.guessed if own == address}
        states = {port: self.blocked_at((own, port)) for own, port in self.trials if own == address}
        return guesses | {port: blocked for port, blocked in states.items() if blocked is not None}

    def runs(self) -> list[tuple[str, Run]]:
        """What is blocked towards the addresses that the search is about."""
        return [(address, run) for address in self.about for run in port_sample.runs(self.known(address), *self.ports)]

    def find_edges(self, networks: Mapping[str, Sequence[str]], until_s: float) -> None:
        """Find the edges of what is blocked, then look for holes in it, until nothing new comes up or time is over.

        In each network towards one address: rules are made for networks, not for single addresses.
        """
        for addresses in networks.values():
            self._choose(addresses)
        for _ in range(_MOST_PASSES):
            rows_until_s = until_s - self.context.shared(Desk).surety_s(self._ttls)
            in_vain = 0
            while (rows := self._rows()) and in_vain < _MOST_IN_VAIN and time.monotonic() < rows_until_s:
                in_vain = 0 if self._try_rows(rows, rows_until_s) else in_vain + 1
            unsure = [(address, port) for address, run in self.runs() for port in self.unsure(address, run)]
            if not unsure or time.monotonic() > until_s:
                return
            self.ask(unsure, until_s, expected=False)

    def _choose(self, addresses: Sequence[str]) -> None:
        """The address of a network with most that is blocked. What is blocked towards the other is guessed to be."""
        blocked = {own: {port for port, state in self.known(own).items() if state} for own in addresses}
        chosen = max(addresses, key=lambda own: len(blocked[own]), default=None)
        if chosen is None or not blocked[chosen]:
            return
        self.about.append(chosen)
        others = {port for own in addresses for port in blocked[own]}
        self.guessed |= {(chosen, port) for port in others - set(self.known(chosen))}

    def _rows(self) -> list[list[Endpoint]]:
        """A row for each edge that is not known, of the first address that has such edges: then the next can guess.

        Where they are known, one through each run for the holes in it.
        """
        for address in self.about:
            known = self.known(address)
            rows = []
            for run in port_sample.runs(known, *self.ports):
                rows += [self._row(address, run.low, run.below), self._row(address, run.high, run.above)]
                if run.is_settled:
                    rows.append(port_sample.inside(run, known, self.seed))
            if any(rows):
                return [[(address, port) for port in row] for row in rows if row]
        return []

    def _row(self, address: str, blocked: int, opened: int) -> list[int]:
        """From there to the nearest port that is open towards this address, or towards another one."""
        if abs(opened - blocked) == 1:
            return []
        first, last = self.ports
        low, high = sorted((blocked, opened))
        others = self._known_elsewhere(address)
        between = sorted((port for port in others if low < port < high), reverse=opened < blocked)
        end = next((port for port in between if not others[port]), opened)
        row = port_sample.outward(blocked, end, between, _ROW)
        return [*row, end] if first <= end <= last else row

    def _known_elsewhere(self, address: str) -> dict[int, bool]:
        """Port -> whether it is blocked towards another address: it may be so towards this one."""
        others = {own for own, _ in self.trials if own != address}
        return {port: blocked for own in sorted(others) for port, blocked in self.known(own).items()}

    def _try_rows(self, rows: Sequence[Sequence[Endpoint]], until_s: float) -> bool:
        """False where nothing came of it. What was silent before the first that was quoted is guessed to be blocked."""
        shots = [[control(address, self._ttls[0], port) for address, port in row] for row in rows]
        is_new = False
        for row, trials in zip(rows, seek(self.context, shots, until_s, ttls=self._ttls), strict=False):
            tried = list(zip(row, trials, strict=False))
            self._keep(tried)
            quoted = [trial.fate is not Fate.UNDECIDED and self.blocked_at(each) is False for each, trial in tried]
            if True in quoted or self.blocked_at(row[-1]) is not False:
                self.guessed |= set(row[: quoted.index(True) if True in quoted else len(row)])
                is_new = True
        return is_new

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
        """The ports that must be tried (again) before the run may be called blocked from end to end.

        With an end the ports next to it: where it is not blocked after all, they are the next to be asked about.
        """
        sure = self.sure(address)
        ends = [
            port
            for end, inwards in ((run.low, 1), (run.high, -1))
            if end not in sure
            for port in range(end, end + inwards * _SPARE, inwards)
            if run.low <= port <= run.high
        ]
        return sorted({*ends, *port_sample.inside(run, sure, self.seed)} - sure)

    def sure(self, address: str) -> set[int]:
        """The ports that are known to be blocked, not by a single loss only."""
        trials = {port: self.trials[address, port] for own, port in self.trials if own == address}
        return {
            port
            for port, trial in trials.items()
            if self.blocked_at((address, port)) and (trial.fate is Fate.REFUSED or trial.silences >= FEWEST_SILENCES)
        }

    def proven(self, address: str, run: Run) -> list[Run]:
        """The parts of a run that are blocked from end to end; `below` and `above` are ports that get out."""
        sure = sorted(port for port in self.sure(address) if run.low <= port <= run.high)
        if not sure:
            return []
        states = {port: blocked for port, blocked in self.known(address).items() if not blocked}
        untried = port_sample.inside(Run(sure[0], sure[-1], run.below, run.above), sure, self.seed)
        parts = port_sample.runs(states | dict.fromkeys(sure, True) | dict.fromkeys(untried, False), *self.ports)
        return [replace(part, below=run.below, above=run.above) for part in parts if run.low <= part.low <= run.high]

    def decided_at(self, endpoint: Endpoint) -> bool | None:
        """As `blocked_at`; None where it was silent too seldom."""
        blocked = self.blocked_at(endpoint)
        return None if blocked and endpoint[1] not in self.sure(endpoint[0]) else blocked

    def locate(self, until_s: float) -> None:
        """Who drops: the last hop that still sees the datagram, for one port of each run."""
        ttls = [hop.ttl for hop in self.path.hops if hop.ttl < self._ttls[0]]
        endpoints = [(address, run.low) for address, run in self.runs()][:_MOST_LOCATED]
        shots = [control(address, ttl, port) for address, port in endpoints for ttl in ttls]
        for trial in ask(self.context, shots, until_s):
            if trial.fate is Fate.PASSED:
                self.lost_behind[trial.shot.address, trial.shot.port] = trial.answered_by
