"""One nftables table that leads every UDP port of RTP's range to the reflector. Root only; changes nothing else.

A redirect hides which port a packet was sent to. So the table first copies the packet's two ports, as they stand in the
UDP header, into its mark, which the reflector reads with each packet (SO_RCVMARK, Linux 5.19).
"""

import subprocess
from collections.abc import Sequence

FIRST_PORT, LAST_PORT = 1024, 65535
TABLE = "gosip_reflector"
_TIMEOUT_S = 10.0


def rules(port: int, left_alone: Sequence[int]) -> str:
    """The table as nft reads it. left_alone: ports that other services of this machine need."""
    others = f" udp dport != {{ {', '.join(str(other) for other in left_alone)} }}" if left_alone else ""
    match = f"fib daddr type local udp dport {FIRST_PORT}-{LAST_PORT}{others}"
    return f"""table inet {TABLE} {{
    chain mark_ports {{
        type filter hook prerouting priority mangle; policy accept;
        {match} meta mark set @th,0,32
    }}
    chain to_reflector {{
        type nat hook prerouting priority dstnat; policy accept;
        {match} redirect to :{port}
    }}
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
