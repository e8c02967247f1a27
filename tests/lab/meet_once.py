"""Opens two NATs from two lines of this machine that end at one router, and says as JSON whether both let through, and
whether they meet inside the site: `python -m tests.lab.meet_once FIRST ADDRESS SECOND ADDRESS`, NAME=INTERFACE each.
"""

import sys
from contextlib import ExitStack

import msgspec

from gosip_check.probes.far_link.pair import line_of
from gosip_check.probes.far_link.punch import End, meets_within, punch
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context


def main(first: str, first_outside: str, second: str, second_outside: str) -> None:
    """Both NATs keep the port."""
    with ExitStack() as stack:
        ends = []
        for named, address in ((first, first_outside), (second, second_outside)):
            sock = stack.enter_context(sockets.udp_socket(line_of(named)))
            ends.append(End(Context(line_of(named)), sock, (address, sockets.local_address(sock)[1])))
        near, far = ends
        said = {"punched": punch(near, far), "meet": meets_within(near, far, 2)}
    print(msgspec.json.encode(said).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
