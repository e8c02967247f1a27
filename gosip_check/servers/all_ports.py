"""One nftables table that leads every UDP port of RTP's range to the reflector. Root only; changes nothing else.

A redirect hides which port a packet was sent to. So the table first copies the packet's two ports, as they stand in the
UDP header, into its mark, which the reflector reads with each packet (SO_RCVMARK, Linux 5.19).

Connection tracking tells redirected flows apart by their source port, and changes that where two would be alike. A
single port of the reflector would leave no room: one source that asks all 64,512 ports needs as many different flows.
So the range is shared out among `OWN_PORTS` of them.
"""

import subprocess
from collections.abc import Sequence

FIRST_PORT, LAST_PORT = 1024, 65535
OWN_PORTS = 4
TABLE = "gosip_reflector"
_TIMEOUT_S = 10.0


def rules(ports: Sequence[int], left_alone: Sequence[int], *, ipv6: bool = False) -> str:
    """The table as nft reads it. ports: the reflector's own, each of which gets its share of the range.

    left_alone: ports on which it listens anyway.
    """
    others = f" udp dport != {{ {', '.join(str(other) for other in left_alone)} }}" if left_alone else ""
    local = f"meta nfproto {'ipv6' if ipv6 else 'ipv4'} fib daddr type local"
    share = -(-(LAST_PORT - FIRST_PORT + 1) // len(ports))
    lines = []
    for number, port in enumerate(ports):
        first = FIRST_PORT + number * share
        last = min(first + share - 1, LAST_PORT)
        lines.append(f"        {local} udp dport {first}-{last}{others} redirect to :{port}\n")
    return f"""table inet {TABLE} {{
    chain mark_ports {{
        type filter hook prerouting priority mangle; policy accept;
        {local} udp dport {FIRST_PORT}-{LAST_PORT}{others} meta mark set @th,0,32
    }}
    chain to_reflector {{
        type nat hook prerouting priority dstnat; policy accept;
{"".join(lines)}    }}
}}
"""


def install(text: str) -> None:
    """Put the table in place of one that an earlier run may have left. Raises OSError with nft's own words."""
    remove()
    _nft(["-f", "-"], text)


def remove() -> None:
    """Take the table away, if it is there."""
    subprocess.run(["nft", "delete", "table", "inet", TABLE], capture_output=True, check=False, timeout=_TIMEOUT_S)


def _nft(arguments: Sequence[str], text: str) -> None:
    done = subprocess.run(
        ["nft", *arguments], input=text, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
    )
    if done.returncode:
        raise OSError(f"nft refused the redirect: {done.stderr.strip().splitlines()[0]}")
