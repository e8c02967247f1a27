"""`run --account FILE --bind` for its whole 130 s, beside what tcpdump saw on the laptop's cable and what Kamailio says
that it sent. Root. `python -m tests.bench.bench_keep_alives`; all rows at once, about three minutes.
"""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from tests.lab.edges import LET_ALL_IN
from tests.lab.keep_alives import bound_run, came_of
from tests.lab.machine import machine
from tests.lab.site import site
from tests.lab.states import SITES

A, B = SITES
ROWS: tuple[tuple[str, str, Mapping[str, int]], ...] = (
    ("masquerade", "", {A: 30, B: 45}),
    ("lets all in", LET_ALL_IN, {A: 30, B: 45}),
    ("lets all in", LET_ALL_IN, {B: 60}),
    ("masquerade", "", {}),
)
"What the NAT does, and every how many seconds each site sends."


def main() -> None:
    """Prints a table."""
    print("| NAT | A, B every s | sent | on the cable | heard | intervals, tool | tcpdump | error s | said |")
    print("| --- " * 9 + "|", flush=True)
    with ThreadPoolExecutor(len(ROWS)) as pool:
        for line in pool.map(_row, *zip(*ROWS, strict=True)):
            print(line, flush=True)


def _row(nat: str, rules: str, every_s: Mapping[str, int]) -> str:
    with site() as lab, machine() as at:
        lab.enter("ready")
        if rules:
            lab.nft("cpe", rules)
            lab.flush()
        lab.kamailio.register("none")
        for address, seconds in every_s.items():
            lab.kamailio.keep_alive(seconds, address)
        log = at.home() / "cable"
        lab.rooms.start("lan", ["tcpdump", "-n", "-l", "-tt", "-Q", "in", "-i", "to-cpe", "udp src port 5060"], log)
        lab.run("lan", bound_run(at), check=False, timeout_s=240)
        verdict, facts = came_of(at)
        sent = len(lab.kamailio.kept_alive()[0])
        seen = re.findall(r"^([\d.]+) IP (\S+)\.5060 > .*OPTIONS", log.read_text(), re.MULTILINE)
    heard, cable = {}, {}
    for address in SITES:
        heard[address] = [e["after_s"] for e in facts["keep_alives"] if e["address"] == address]
        cable[address] = [float(at_s) for at_s, by in seen if by == address]
    by_tool, by_tcpdump = _intervals(heard), _intervals(cable)
    errors = [abs(one - other) for one, other in zip(by_tool, by_tcpdump, strict=False)]
    shown = [", ".join(f"{s:.1f}" for s in intervals) or "-" for intervals in (by_tool, by_tcpdump)]
    wanted = ", ".join(str(every_s.get(address, "-")) for address in SITES)
    worst = f"{max(errors):.2f}" if errors else "-"
    counts = f"{sent} | {len(seen)} | {len(facts['keep_alives'])}"
    said = f"{verdict['outcome']}: {verdict['reason']}"
    return f"| {nat} | {wanted} | {counts} | {shown[0]} | {shown[1]} | {worst} | {said} |"


def _intervals(at_s: Mapping[str, list[float]]) -> list[float]:
    return [later - earlier for address in SITES for earlier, later in pairwise(at_s[address])]


if __name__ == "__main__":
    main()
