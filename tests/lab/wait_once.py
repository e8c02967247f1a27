"""How long the NAT of one line remembers a flow, asked by the other line, as JSON:
`python -m tests.lab.wait_once LINE SECOND WAITS STUN...`. WAITS: seconds, with commas between them.
"""

import sys

import msgspec

from gosip_check.probes.far_link import pair
from gosip_check.probes.nat.other_side import wait_for_the_other_side
from gosip_check.probes.probe import Context


def main(line: str, second: str, waits: str, *stun: str) -> None:
    """The lifetimes."""
    context = Context(pair.line_of(line))
    waits_s = [float(wait) for wait in waits.split(",")]
    found = wait_for_the_other_side(context, second, stun, "trunk.example", [], waits_s)
    print(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
