"""What a mirror behind a second line proves: clean where an ALG must have looked, and never a fault of one line."""

import pytest

from gosip_check.probes.alg.mirror import Mirrored
from gosip_check.probes.alg.other_line import SIP_PORT, finding_of
from gosip_check.wire.rewriting import Change

LOCAL = ("192.168.1.10", 40000)
VIA = Change("Via", "192.168.1.10", "192.0.2.1")


def _mirrored(message: str, answered: bool = True, changes: tuple[Change, ...] = (), back: bool = False) -> Mirrored:
    to, fro = ((), changes) if back else (changes, ())
    return Mirrored("UDP", SIP_PORT, message, LOCAL, answered, to, fro)


@pytest.mark.parametrize(
    ("mirrored", "port", "found", "says"),
    [
        ([_mirrored("OPTIONS"), _mirrored("INVITE")], 5060, False, "got 2 requests unchanged"),
        ([_mirrored("OPTIONS"), _mirrored("INVITE")], 61234, None, "port 61234, where an ALG need not look"),
        ([_mirrored("OPTIONS"), _mirrored("INVITE", answered=False)], 5060, None, "got no INVITE"),
        ([_mirrored("OPTIONS", changes=(VIA,)), _mirrored("INVITE")], 5060, None, "changed (Via)"),
        ([_mirrored("OPTIONS", changes=(VIA,), back=True)], 61234, None, "is not known"),
    ],
)
def test_what_it_proves(mirrored: list[Mirrored], port: int, found: bool | None, says: str) -> None:
    finding = finding_of(mirrored, "phone", port)
    assert finding.found is found
    assert says in finding.sentence
    assert not finding.needed
