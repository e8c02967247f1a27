"""What a rehearsal does, one phase after the other, as a table. Another table is another rehearsal."""

from dataclasses import dataclass
from typing import Literal

Refusal = Literal["401-new", "401-same", "403"]


@dataclass(frozen=True)
class Phase:
    """One row. It waits `within_s` at most for `event`, then listens on for `listens_s`.

    name: that of the Step in what was heard; the probes know some of them. grants_s: what a REGISTER is granted.
    site_a: what site A does; site B always answers. refuses: what a right password gets. swapped: B has the better SRV.
    forgets_nonces: a right answer to an earlier challenge is challenged again, without a stale flag.
    event: a REGISTER that succeeded, or a REGISTER with credentials that was refused.
    """

    name: str
    event: Literal["registered", "refused"]
    within_s: float
    listens_s: float = 0.0
    grants_s: int = 60
    site_a: Literal["answers", "silent", "503"] = "answers"
    refuses: Refusal | None = None
    swapped: bool = False
    forgets_nonces: bool = False
    is_long: bool = False


PHASES = (
    Phase("register", "registered", 300, grants_s=60),
    Phase("refresh-60", "registered", 65, grants_s=120, forgets_nonces=True),
    Phase("refresh-120", "registered", 125, grants_s=60, is_long=True),
    Phase("srv-swapped", "registered", 65, 35, swapped=True, is_long=True),
    Phase("a-silent", "registered", 330, site_a="silent", is_long=True),
    Phase("a-503", "registered", 125, site_a="503", is_long=True),
    Phase("a-back", "registered", 95, 10, is_long=True),
    Phase("refuse-401-new", "refused", 65, 300, refuses="401-new", is_long=True),
    Phase("refuse-401-same", "refused", 125, 30, refuses="401-same"),
    Phase("refuse-403", "refused", 65, 30, refuses="403"),
)
"""In this order: the refusals come last, because a PBX may stop for good after one."""
