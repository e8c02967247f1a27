"""What fills the way out beside the small streams of `qos`: uploads to a URL, or packets to the second line.

Without either it is the packets that die at the hop, which `qos` sends itself. Uploads go beside these: in a line that
gives each flow its part, the part of so many flows is less than these packets take, so that they wait if it is full.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import msgspec

from gosip_check.probes.far_link.pair import Pair
from gosip_check.probes.media import politeness
from gosip_check.probes.media.child import child
from gosip_check.probes.media.echo_hops import Answering
from gosip_check.probes.media.echo_rule import Phase
from gosip_check.probes.media.second_fill import FillDone, FillPlan
from gosip_check.probes.media.transfer import START_S, transfer
from gosip_check.probes.probe import Context, side_by_side

OCTETS = 1400
UPLOADS = 12
"""So many leave the packets that die at the hop less than they take, on a line of up to 25 Mb/s. And one alone may end
its fast start at the first sign of a queue, and then takes longer to fill it than there is time."""
_UPLOAD_KBPS = politeness.FILLING_UPLOAD.kbps / 1.1 / UPLOADS
"They are written a little faster than asked for."
_LONGEST_UPLOAD = 1.5
"An upload that does not reach its rate takes so much longer."
_DYING_PPS = 20.0
_ANSWERS_WITHIN_S = 10.0
NOTHING_ARRIVED = "Nothing arrived on the second line any more, so its load was ended."

Kind = Literal["packets", "upload", "second line"]


@dataclass(frozen=True)
class Load:
    """kind: what fills the line. beside: sends it for so many seconds, next to what `qos` sends itself.

    replaces_packets: `qos` sends none that die at the hop; those of this load are in what it brings.
    trouble: why the load that was asked for could not be had, a sentence.
    """

    kind: Kind
    beside: Callable[[float], "Sent"] | None = None
    trouble: str = ""

    @property
    def replaces_packets(self) -> bool:
        return self.kind == "second line"


@dataclass(frozen=True)
class Sent:
    """kbps: what came through, at IP. dying: of those of its packets that die at the hop. trouble: a sentence."""

    kbps: float
    dying: Phase | None = None
    trouble: str = ""


PACKETS = Load("packets")


def uploads(context: Context, url: str) -> Load:
    return Load("upload", lambda seconds: _uploaded(context, url, seconds))


def _uploaded(context: Context, url: str, seconds: float) -> Sent:
    counted_s = (seconds - START_S) / _LONGEST_UPLOAD
    uploads = side_by_side(lambda _: transfer(context, "up", url, _UPLOAD_KBPS, counted_s), range(UPLOADS))
    trouble = next((upload.trouble for upload in uploads if upload.trouble), "")
    return Sent(sum(upload.kbps for upload in uploads), trouble=trouble)


@contextmanager
def to_second_line(context: Context, both: Pair, hop: Answering) -> Iterator[Load]:
    """both: a flow between the two lines. Raises ProbeFailed: bug, or interrupted."""
    descriptors = both.near.fileno(), both.far.fileno()
    with child(context, "gosip_check.probes.media.second_fill", descriptors) as process:
        next(process.lines(_ANSWERS_WITHIN_S))

        def send(seconds: float) -> Sent:
            process.give(
                FillPlan(
                    near_link=context.link,
                    near=descriptors[0],
                    far_link=both.far_line,
                    far=descriptors[1],
                    seconds=seconds,
                    octets=OCTETS,
                    most_kbps=politeness.SECOND_FILL.kbps,
                    dying_pps=_DYING_PPS,
                    ttl=hop.hop.ttl,
                    hop=hop.hop.address,
                )
            )
            done = msgspec.json.decode(next(process.lines(seconds + _ANSWERS_WITHIN_S)), type=FillDone)
            return Sent(done.kbps, done.dying, NOTHING_ARRIVED if done.is_silent else "")

        yield Load("second line", send)
