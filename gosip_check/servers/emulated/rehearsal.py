"""A rehearsal with an emulated PBX, in a virtual world: half an hour in a moment, and nothing leaves the program."""

from collections.abc import Callable, Sequence

from gosip_check.heard import Heard
from gosip_check.servers.emulated.behaviour import Behaviour
from gosip_check.servers.emulated.pbx import EmulatedPbx
from gosip_check.servers.rehearsal.phases import PHASES, Phase
from gosip_check.servers.rehearsal.rehearsal import Rehearsal, Slip
from gosip_check.servers.virtual import VirtualWorld

_PBX, _LAPTOP = "127.0.0.50", "127.0.0.1"
_SITES = (("127.22.184.27", 5060), ("127.22.185.27", 5060))
USER, NUMBERS = "35621669015", ("21669015", "21669016")
"Those of the guide's examples."


def rehearse(
    domain: str,
    behaviour: Behaviour,
    phases: Sequence[Phase] = PHASES,
    began: Callable[[Phase], None] = lambda _: None,
) -> Heard:
    """What was heard of a PBX that behaves so. began: called as each phase begins."""
    world = VirtualWorld()
    slip = Slip(domain, USER, "made-up", NUMBERS)
    with Rehearsal(slip, _PBX, (_LAPTOP, 53), _SITES, world=world) as rehearsal:
        pbx = EmulatedPbx(world, _PBX, rehearsal.dns_place, rehearsal.sites, slip, behaviour)

        def begin(phase: Phase) -> None:
            began(phase)
            pbx.began(phase)

        try:
            return rehearsal.run(phases, begin, ask=lambda question, _: pbx.says(question))
        finally:
            pbx.close()
