"""One download at 500 kb/s for a second, as JSON: `python -m tests.lab.transfer_once NAME=INTERFACE URL`."""

import sys

import msgspec

from gosip_check.probes.far_link.pair import line_of
from gosip_check.probes.media.transfer import transfer
from gosip_check.probes.probe import Context


def main(line: str, url: str) -> None:
    """Whether it carries, and what was in the way. The site ends at its first hop."""
    came = transfer(Context(line_of(line)), "down", url, 500.0, 1.0, edge_ttl=1)
    print(msgspec.json.encode({"carries": came.carries(500.0, 1.0), "trouble": came.trouble}).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
