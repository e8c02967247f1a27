"""`watch` every second for ten minutes against the emulated trunk, whose manners change under it.

    python -m tests.bench.bench_watch [SECONDS]

The manners change between two checks: one that they change under sees a mixture, truly, and no table could say which.
Prints a table: how many changes must be seen and were, which were missed or invented, how far the times drift, and how
much memory the process takes. The verdicts on this very machine (host.*) are left out: they depend on what else runs.
"""

import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from msgspec.structs import replace

from gosip_check.checklist import load
from gosip_check.health.history import History
from gosip_check.health.watch import check_once, keep, light, repeat
from gosip_check.plan import Plan, select_health
from gosip_check.records import Link, Settings
from gosip_check.servers.trunk import NETWORKS, Trunk

EVERY_S, JITTER_S = 1.0, 0.1
SIGNALLING = ("firewall.signalling", "firewall.signalling-every-target")
RESOLVED = ("dns.targets-resolve", "dns.targets-in-networks", *SIGNALLING)

# Manners -> verdicts that do not pass.
MANNERS: dict[str | None, dict[str, str]] = {
    None: {},
    "forbidden": {},
    "malformed": dict.fromkeys(SIGNALLING, "fail"),
    "silent": dict.fromkeys(SIGNALLING, "unknown"),
    "nxdomain": {"dns.srv-answers": "fail", **dict.fromkeys(RESOLVED, "skipped")},
    "dns-silent": {"dns.srv-answers": "fail", **dict.fromkeys(RESOLVED, "skipped")},
}


def main(seconds: float) -> None:
    draw = random.Random(5)
    stop, between = threading.Event(), threading.Lock()
    begun: list[float] = []
    resident: list[tuple[float, float]] = []
    checklist = load("go-native")
    trunk = replace(checklist.trunk, networks=NETWORKS)
    process = psutil.Process()
    with (
        tempfile.TemporaryDirectory() as folder,
        Trunk(trunk.domain, trunk.service, trunk.transport) as server,
        History(Path(folder) / "history.sqlite") as history,
    ):
        settings = Settings(dns_servers=[server.dns_server], system_resolvers=False)
        checklist = replace(checklist, trunk=trunk)
        plan = light(Plan(checklist, select_health(checklist), [Link(name="Internet-1")], settings, skip=["host.*"]))
        sentences: list[str] = []

        def check() -> None:
            begun.append(time.monotonic())
            with between:
                sentences.extend(keep(history, check_once(plan, stop), None))
            resident.append((time.monotonic(), process.memory_info().rss / 1048576))

        expected: list[tuple[str, str, str]] = []

        def change() -> None:
            now: str | None = None
            looked_at = dict.fromkeys(("dns.srv-answers", *RESOLVED), "pass")
            until_s = time.monotonic() + seconds
            while not stop.wait(draw.uniform(18, 30)) and time.monotonic() < until_s - 20:
                then = draw.choice([manner for manner in MANNERS if manner != now])
                for name, before in list(looked_at.items()):
                    after = MANNERS[then].get(name, "pass")
                    if after not in (before, "skipped"):
                        expected.append((name, before, after))
                        looked_at[name] = after
                with between:
                    server._fault = now = then
            stop.wait(max(0.0, until_s - time.monotonic()))
            stop.set()

        changer = threading.Thread(target=change)
        changer.start()
        start_s = time.monotonic()
        repeat(check, EVERY_S, JITTER_S, stop, random.random)
        changer.join()
        seen = [(c.verdict.id, str(c.verdict.before), str(c.verdict.after)) for c in reversed(history.changes(100_000))]
        kept = history.count()
    late = [(at - start_s) % EVERY_S for at in begun]
    minute = [value for value, at in zip(late, begun, strict=True) if at - start_s < seconds / 10]
    last = [value for value, at in zip(late, begun, strict=True) if at - start_s > seconds * 0.9]
    early_mb = max(mb for at, mb in resident if at - start_s < seconds / 5)
    late_mb = max(mb for at, mb in resident if at - start_s > seconds * 0.8)
    print(
        f"watched                     {seconds:g} s, {len(begun)} runs begun, {kept} kept, {len(sentences)} sentences"
    )
    print(f"changes expected            {len(expected)}")
    print(f"changes seen                {len(seen)}")
    print(f"missed                      {_left_out(expected, seen)}")
    print(f"invented                    {_left_out(seen, expected)}")
    print(
        f"begun after an even second  first tenth at most {max(minute) * 1000:.0f} ms, last {max(last) * 1000:.0f} ms"
    )
    print(f"memory                      first fifth {early_mb:.1f} MiB, last fifth {late_mb:.1f} MiB")


def _left_out(these: list[tuple[str, str, str]], those: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    rest = list(those)
    missing = []
    for one in these:
        if one in rest:
            rest.remove(one)
        else:
            missing.append(one)
    return missing


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 600.0)
