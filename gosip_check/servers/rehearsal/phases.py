"""What a rehearsal does, one phase after the other, as a table. Another table is another rehearsal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gosip_check.servers.rehearsal import scripts
from gosip_check.servers.rehearsal.registrar import Refusal
from gosip_check.servers.rehearsal.stage import Script, Stage

Event = Literal["registered", "renewed", "refused", "script"]


@dataclass(frozen=True)
class Phase:
    """One row. It waits `within_s` at most for `event`, then listens on for `listens_s`; or it plays its script.

    name: that of the Step in what was heard; the probes know some of them. grants_s: what a REGISTER is granted.
    site_a: what site A does; site B always answers. refuses: what a right password gets. swapped: B has the better SRV.
    event: a REGISTER that succeeded; one that succeeded in time after another that was granted `renews_s`; or one with
    credentials that was refused. typical_s: how long it takes with a person who is there.
    forgets_nonces: a right answer to an earlier challenge is challenged again, without a stale flag.
    """

    name: str
    event: Event
    within_s: float
    listens_s: float = 0.0
    grants_s: int = 60
    site_a: Literal["answers", "silent", "503"] = "answers"
    refuses: Refusal | None = None
    swapped: bool = False
    is_long: bool = False
    typical_s: float = 30
    renews_s: int = 0
    forgets_nonces: bool = False
    script: Callable[[Stage], Script] | None = None

    def play(self, stage: Stage) -> Script:
        if self.script is not None:
            return self.script(stage)
        return self._listen(stage)

    def _listen(self, stage: Stage) -> Script:
        yield from stage.until(lambda: self._happened(stage), self.within_s)
        if self._happened(stage):
            yield from stage.pause(self.listens_s)
        return None

    def _happened(self, stage: Stage) -> bool:
        if self.event == "renewed":
            return self.renews_s in stage.registered.renewed
        return stage.was_refused() if self.event == "refused" else stage.has_registered()


PHASES = (
    Phase("register", "registered", 300, typical_s=60),
    Phase("incoming", "script", 240, typical_s=75, forgets_nonces=True, script=scripts.incoming),
    Phase("routing", "script", 110, typical_s=25, script=scripts.routing),
    Phase("site-b-call", "script", 90, typical_s=15, script=scripts.second_site),
    Phase("outgoing", "script", 160, typical_s=35, script=scripts.outgoing),
    Phase("outgoing-international", "script", 80, typical_s=20, script=scripts.abroad),
    Phase("refresh-60", "renewed", 65, renews_s=60, typical_s=10),
    Phase("forward", "script", 150, typical_s=45, is_long=True, script=scripts.forward),
    Phase("withheld", "script", 70, grants_s=120, typical_s=25, is_long=True, script=scripts.withheld),
    Phase("session-refresh", "script", 170, grants_s=120, typical_s=65, is_long=True, script=scripts.session_refresh),
    Phase("transfer", "script", 130, grants_s=120, typical_s=40, is_long=True, script=scripts.transfer),
    Phase("refresh-120", "renewed", 185, renews_s=120, typical_s=60, is_long=True),
    Phase("a-silent", "script", 380, typical_s=140, site_a="silent", is_long=True, script=scripts.silence),
    Phase("a-503", "registered", 125, typical_s=60, site_a="503", is_long=True),
    Phase("a-back", "registered", 95, 10, typical_s=60, is_long=True),
    Phase("srv-swapped", "script", 140, typical_s=80, swapped=True, is_long=True, script=scripts.swapped),
    Phase("trunk-off", "script", 130, typical_s=30, is_long=True, script=scripts.trunk_off),
    Phase("refuse-401-new", "refused", 65, 300, typical_s=340, refuses="401-new", is_long=True),
    Phase("refuse-401-same", "refused", 125, 30, typical_s=60, refuses="401-same"),
    Phase("refuse-403", "refused", 65, 30, typical_s=60, refuses="403"),
)
"""In this order: the refusals come last, because a PBX may stop for good after one. Before site A is silent the PBX is
there: not where it stays at site B, to which changed records have led it."""
