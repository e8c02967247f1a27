"""Brings two lines of this machine together and says what came of it, as JSON:
`python -m tests.lab.punch_once LINE SECOND SECONDS [STUN...]`.

LINE and SECOND are NAME=INTERFACE. Ten channels are sent for so many seconds, none for 0. Without STUN servers those of
the provider are asked.
"""

import sys

import msgspec

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.far_link import pair
from gosip_check.probes.media.options import Options
from gosip_check.probes.media.second_line import stream_over
from gosip_check.probes.probe import Context, ProbeFailed

from .states import SITES

DOMAIN = "gotel.com.mt"


def main(line: str, second: str, seconds: str, *stun: str) -> None:
    """What the two are seen as, whether a packet of each reaches the other, and a stream's facts; or why not."""
    context = Context(pair.line_of(line))
    servers = [Server(f"site{number}", address, 5060) for number, address in enumerate(SITES)]
    options = Options(domain=DOMAIN, transport="udp", duration_s=float(seconds))
    try:
        with pair.pair(context, second, stun, DOMAIN, servers) as both:
            came = []
            for sender, receiver in ((both.near, both.far), (both.far, both.near)):
                receiver.settimeout(2)
                sender.send(b"through")
                came.append(receiver.recv(100) == b"through")
                receiver.setblocking(False)
            said = {"punched": all(came), "outside": [both.near_outside, both.far_outside]}
            stream = stream_over(both, options, context) if options.duration_s else None
    except ProbeFailed as failed:
        said, stream = {"punched": False, "why": failed.failure.message}, None
    print(msgspec.json.encode({**said, "stream": stream}).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
