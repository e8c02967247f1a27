"""The slip of a rehearsal: what the installer enters in the PBX, notes down first, and must know. Text only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gosip_check.cli.rehearsal.place import SIP_PORT, Ground
from gosip_check.servers.rehearsal.phases import Phase

if TYPE_CHECKING:
    from gosip_check.servers.rehearsal.rehearsal import Slip

_EXPIRES_S = 300


def slip_text(slip: Slip, ground: Ground, phases: Sequence[Phase], provider: str) -> str:
    """At most 80 columns wide."""
    trusted = " and ".join(filter(None, (ground.address, ground.second)))
    rows = [
        ("Server", f"{slip.domain}, with no port"),
        ("User", f"{slip.user}, also for authentication"),
        ("Password", f"{slip.password}   (made up; never {provider}'s)"),
        ("Expiry", f"{_EXPIRES_S} s"),
        ("Transport", "UDP; SRV lookup on where there is a switch for it"),
        ("DNS server", f"{ground.address} (this laptop), for the whole PBX"),
        ("Trusted", f"{trusted}, for calls and OPTIONS"),
        ("Route", "outgoing calls to this trunk"),
    ]
    if not ground.has_dns:
        rows[5] = ("Proxy", f"{ground.address}:{SIP_PORT} as outbound proxy, else as server")
    column = max(len(name) for name, _ in rows)
    lines = [
        "EMERGENCY CALLS: while this trunk is the route, 112 ends at this laptop.",
        "Keep another line for them. 112 and 999 get 503 at once, so that the PBX",
        "takes another way if it has one. No call leaves this laptop.",
        "",
        f"Do not do this while {provider}'s trunk is in use on this PBX: it would go down.",
        f"It takes about {_minutes(phases)} minutes. Ctrl-C ends it and says what to put back.",
        *[f"Other names that the PBX asks for {_others(ground)}."] * ground.has_dns,
        "",
        "THE SLIP",
        "Note down what stands in the PBX now. Then enter, as a new trunk or a copy:",
        *(f"  {name:{column}}  {value}" for name, value in rows),
    ]
    return "\n".join(lines)


def _others(ground: Ground) -> str:
    return "go to the resolver of this laptop" if ground.resolver else "are refused"


def _minutes(phases: Sequence[Phase]) -> int:
    """With a person who is there."""
    return max(1, round(sum(phase.typical_s for phase in phases) / 60))
