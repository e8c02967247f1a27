"""Foreign PBXs under a whole rehearsal: which row of which client came out how, for docs/rehearsal-clients.md.

    python -m tests.bench.bench_rehearsal_clients [CLIENT]...

Needs root, baresip, SIPp, Kamailio, and pjsua2-python, which the tests do not install. It takes some twenty minutes,
because site A is silent for long and the password is refused for five minutes. Nothing leaves the machine: each client
and its rehearsal have two network namespaces.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gosip_check.servers.rehearsal.phases import PHASES
from tests.lab.foreign_pbx import CABLES, HELD, RESOLVERS
from tests.lab.namespaces import rooms

_BY_HAND = {"routing", "forward", "withheld", "transfer", "trunk-off"}
"What a client without phones and menus has nothing for."
_SHORT = ("register", "incoming", "site-b-call")
CLIENTS = {
    "baresip": [phase.name for phase in PHASES if phase.name not in _BY_HAND],
    "sipp": list(_SHORT),
    "kamailio": ["register", "refresh-60", "refuse-401-new", "refuse-401-same", "refuse-403"],
    "pjsua2": [phase.name for phase in PHASES if phase.name not in _BY_HAND and not phase.is_long],
}


def rehearsed(client: str) -> dict[str, tuple[str, str]]:
    """Requirement -> outcome and reason."""
    with rooms(CABLES, HELD, RESOLVERS) as two:
        program = [sys.executable, "-m", "tests.lab.foreign_pbx", client, two.namespace("pbx")]
        command = two.command("laptop", [*program, ",".join(CLIENTS[client]), "0.2"])
        done = subprocess.run(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, check=True)
    came: dict[str, tuple[str, str]] = json.loads(done.stdout)
    return came


def main() -> None:
    clients = sys.argv[1:] or list(CLIENTS)
    with ThreadPoolExecutor() as pool:
        came = dict(zip(clients, pool.map(rehearsed, clients), strict=True))
    print("| requirement |", " | ".join(came), "|\n|" + " --- |" * (len(came) + 1))
    for row in next(iter(came.values())):
        cells = [f"{outcome}: {reason}" for outcome, reason in (of[row] for of in came.values())]
        print(f"| `{row}` |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
