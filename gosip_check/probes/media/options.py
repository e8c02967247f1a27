"""What the media probe is asked to do."""

from typing import Annotated, Literal

from msgspec import Meta

from gosip_check.probes import probe
from gosip_check.probes.media.capacity import Criterion

_Percent = Annotated[float, Meta(ge=0, le=100)]


class Options(probe.Options, frozen=True):
    """What to send, and where to. The criterion judges nothing of the site: it says where the search has its end."""

    domain: str
    transport: Literal["udp", "tcp"]
    networks: list[str] = []
    channels: int = 10
    duration_s: float = 20.0
    reflector: str | None = None
    "HOST[:PORT] of a STAMP or TWAMP Light reflector."
    reflector_key_file: str | None = None
    far_end_link: str | None = None
    "NAME=INTERFACE|ADDRESS of another line of this machine, which is the far end where there is no reflector."
    stun: list[str] = []
    "HOST[:PORT] of servers that say as what a socket is seen from outside; without any, those of the trunk are asked."
    download: str | None = None
    upload: str | None = None
    "URLs that the calls' rate is read from, or written to, where echoes leave open whether the line carries it."
    load: bool = True
    "Without a reflector: also send a load to a hop behind the edge."
    thorough: bool = False
    "Send it for twenty seconds: a deep token bucket carries six of them at any rate."
    gentle: bool = False
    "Send nothing but round trips, whatever else could be measured by."
    find_capacity: bool = False
    "Try how many channels meet the criterion."
    carried_delivered_pct: _Percent = 99.0
    "A load is carried where at least so much of it is delivered; below that real G.711 packets are tried, too."
    carried_loss_pct: _Percent = 1.0
    "And where at most so much is lost in any 15 s."

    @property
    def criterion(self) -> Criterion:
        """When a load counts as carried."""
        return Criterion(self.carried_delivered_pct, self.carried_loss_pct)
