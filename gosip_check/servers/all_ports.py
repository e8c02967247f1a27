"""One nftables table that leads every UDP port of RTP's range to the reflector. Root only; changes nothing else.

A redirect hides which port a packet was sent to. So the table first copies the packet's two ports, as they stand in the
UDP header, into its mark, which the reflector reads with each packet (SO_RCVMARK, Linux 5.19).

Connection tracking tells redirected flows apart by their source port, and changes that where two would be alike. A
single port of the reflector would leave no room: one source that asks all 64,512 ports needs as many different flows.
So the range is shared out among `OWN_PORTS` of them.

The table belongs to an `nft` that waits for more to do (`flags owner`, Linux 5.12): the kernel takes it away when that
ends, and it ends when this process does, however that may be.
"""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import Self

FIRST_PORT, LAST_PORT = 1024, 65535
OWN_PORTS = 4
TABLE = "gosip_reflector"
_TIMEOUT_S = 5.0
_LOOK_EVERY_S = 0.05
_NOT_INSTALLED = "nft is not installed, and --all-ports needs it: install the package nftables."


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
    flags owner
    chain mark_ports {{
        type filter hook prerouting priority mangle; policy accept;
        {local} udp dport {FIRST_PORT}-{LAST_PORT}{others} meta mark set @th,0,32
    }}
    chain to_reflector {{
        type nat hook prerouting priority dstnat; policy accept;
{"".join(lines)}    }}
}}
"""


class Redirect:
    """`with Redirect(rules(...)) as redirect`: the table stands until the block, or this process, ends."""

    def __init__(self, text: str) -> None:
        """Raises OSError with a sentence. Takes away a table that another one has left."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        try:
            _nft("delete", "table", "inet", TABLE)
            # In a session of its own, so that what is typed at the terminal does not end it before this process.
            self._holder = subprocess.Popen(
                ["nft", "--interactive"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                start_new_session=True,
            )
        except OSError:
            self._errors.close()
            raise
        try:
            self._install(text)
        except OSError:
            self._holder.kill()
            self.close()
            raise

    def _install(self, text: str) -> None:
        assert self._holder.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended before it had read anything: see below why
            self._holder.stdin.write(_one_line(text).encode())
            self._holder.stdin.flush()
        until_s = time.monotonic() + _TIMEOUT_S
        while not _nft("list", "table", "inet", TABLE):
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip()
            if said or self._holder.poll() is not None:
                raise OSError(f"nft refused the redirect: {said.splitlines()[0] if said else 'it ended at once'}.")
            if time.monotonic() > until_s:
                raise OSError(f"nft did not set the redirect up within {_TIMEOUT_S:g} s.")
            time.sleep(_LOOK_EVERY_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self) -> None:
        """Until the table is gone."""
        self._holder.wait()

    def close(self) -> None:
        """Let the table go. Needs no root; nft goes by itself when nobody can give it more to do."""
        assert self._holder.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._holder.stdin.close()
        self._errors.close()
        try:
            self._holder.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return


def _one_line(text: str) -> str:
    """nft reads what it waits for line by line; `;` stands for a line's end."""
    lines = [line.strip() for line in text.splitlines()]
    return " ".join(line if line.endswith(("{", ";")) else f"{line};" for line in lines) + "\n"


def _nft(*arguments: str) -> bool:
    """Whether nft did it. Raises OSError, with a sentence, where it cannot be run or does not end."""
    try:
        return subprocess.run(["nft", *arguments], capture_output=True, check=False, timeout=_TIMEOUT_S).returncode == 0
    except FileNotFoundError as error:
        raise OSError(_NOT_INSTALLED) from error
    except subprocess.TimeoutExpired as error:
        raise OSError(f"nft did not answer within {_TIMEOUT_S:g} s.") from error
