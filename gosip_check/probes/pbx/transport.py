"""Over what does the PBX send SIP, and how large are its messages? Reads the packets' sizes, not what they say."""

from typing import Literal, get_args

from gosip_check.heard import Heard
from gosip_check.probes import probe
from gosip_check.probes.pbx.seen import Seen, facts_of, furthest, heard_by, unseen
from gosip_check.probes.probe import Context, Probe

Over = Literal["UDP", "TCP", "TLS"]

_NOTHING = "No message of the PBX was seen."


class Options(probe.Options, frozen=True):
    """Nothing to choose."""


class Facts(probe.Facts, frozen=True):
    """over: the last of the list that was used. largest_octets: of one message of the PBX, without IP and UDP."""

    over: Over | None
    largest_octets: int | None


def measure(options: Options, context: Context) -> Facts:
    """Takes no time and sends nothing."""
    del options
    heard = heard_by(context)
    over = [
        Seen(each.transport, f"The PBX sends SIP over {each.transport}.")
        for each in heard.messages
        if each.direction == "up"
    ]
    return facts_of(Facts, over=furthest(get_args(Over), over, _NOTHING, heard), largest_octets=_largest(heard))


def _largest(heard: Heard) -> Seen:
    """Of a message that was cut, the length is not known; in a log, what was masked changes it by a little."""
    lengths = [len(each.sip) for each in heard.messages if each.direction == "up" and not each.cut]
    if not lengths:
        return unseen(_NOTHING, heard)
    return Seen(max(lengths), f"The largest message of the PBX has {max(lengths)} octets.")


PROBE = Probe(
    "pbx_transport", Options, Facts, measure, subject=lambda _: "messages of the PBX", local=True, listens=True
)
