"""Rooms: a chain of Linux network namespaces, cabled with veth pairs, that has no link to the outside.

What stands in a room (rule sets, servers) is said elsewhere. Nothing here knows SIP or DNS.
Names carry the process id, so that runs do not meet and the remains of a killed run can be told from a living one.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

COMMAND_TIMEOUT_S = 15.0

_ENDED_WITHIN_S = 5.0
_PREFIX = "gosip"
_NETNS = Path("/run/netns")
_ETC_NETNS = Path("/etc/netns")
_runs = itertools.count(1)


@dataclass(frozen=True)
class Cable:
    """A veth pair between neighbours, one /24. Room `left` calls its interface `to-RIGHT`, room `right` `to-LEFT`."""

    left: str
    left_address: str
    right: str
    right_address: str


@dataclass
class Rooms:
    """The rooms of one run. Made and torn down by `rooms()` only."""

    prefix: str
    cables: Sequence[Cable]
    folder: Path
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The rooms from left to right."""
        return [self.cables[0].left, *(cable.right for cable in self.cables)]

    def namespace(self, room: str) -> str:
        """What `ip netns list` calls the room."""
        return f"{self.prefix}-{room}"

    def command(self, room: str, argv: Sequence[str]) -> list[str]:
        """`argv` so that it runs inside the room. `ip netns exec` becomes the command: one process id for both."""
        return ["ip", "netns", "exec", self.namespace(room), *argv]

    def run(
        self,
        room: str,
        argv: Sequence[str],
        *,
        timeout_s: float = COMMAND_TIMEOUT_S,
        check: bool = True,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the room to its end. Raises CalledProcessError (with `check`) and TimeoutExpired."""
        return _run(self.command(room, argv), timeout_s=timeout_s, check=check, stdin=stdin, environment=environment)

    def start(self, room: str, argv: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a server in the room. It is ended with the rooms; both its outputs go to the file `log`.

        A session of its own keeps a Ctrl-C at the terminal from ending the server before its lab.
        """
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(room, argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def nft(self, room: str, text: str) -> None:
        """Apply an nftables script in the room. Raises CalledProcessError when nft refuses it."""
        self.run(room, ["nft", "-f", "-"], stdin=text)

    def pids(self, room: str) -> list[int]:
        """The processes that run in the room."""
        return _pids(self.namespace(room))

    def link_down(self, room: str, interface: str) -> None:
        """Pull the plug of one interface."""
        self._ip(room, f"link set {interface} down")

    def link_up(self, room: str, interface: str) -> None:
        """Put the plug back. A link that goes down takes its routes with it, so they are laid again."""
        self._ip(room, f"link set {interface} up\n" + "\n".join(self._routes(room)))

    def _ip(self, room: str, batch: str) -> None:
        _run(["ip", "-n", self.namespace(room), "-batch", "-"], stdin=batch + "\n")

    def _routes(self, room: str) -> list[str]:
        """The way out is the right neighbour; every cable further to the left is reached through the left neighbour.

        The world ends in the last room, silently, as a provider's network does that drops what it does not know.
        """
        place = self.names.index(room)
        routes = []
        if place < len(self.cables):
            routes.append(f"route replace default via {self.cables[place].right_address}")
        else:
            routes.append("route replace blackhole default")
        for cable in self.cables[: max(0, place - 1)]:
            network = cable.left_address.rpartition(".")[0] + ".0/24"
            routes.append(f"route replace {network} via {self.cables[place - 1].left_address}")
        return routes

    def _build(self, held: Mapping[str, Sequence[str]], resolvers: Mapping[str, Sequence[str]]) -> None:
        for room in self.names:
            _run(["ip", "netns", "add", self.namespace(room)])
            if room in resolvers:
                folder = _ETC_NETNS / self.namespace(room)
                folder.mkdir(parents=True)
                lines = [f"nameserver {address}\n" for address in resolvers[room]]
                (folder / "resolv.conf").write_text("".join([*lines, "options timeout:1 attempts:2\n"]))
            forwarding = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"
            self.run(room, ["sh", "-c", forwarding])
        for cable in self.cables:
            left, right = self.namespace(cable.left), self.namespace(cable.right)
            pair = f"to-{cable.right} netns {left} type veth peer name to-{cable.left} netns {right}"
            _run(["ip", "link", "add", *pair.split()])
        for place, room in enumerate(self.names):
            lines = ["link set lo up", *(f"address add {address}/32 dev lo" for address in held.get(room, []))]
            for cable in self.cables[max(0, place - 1) : place + 1]:
                at_left = cable.left == room
                address = cable.left_address if at_left else cable.right_address
                interface = f"to-{cable.right if at_left else cable.left}"
                lines += [f"address add {address}/24 dev {interface}", f"link set {interface} up"]
            self._ip(room, "\n".join(lines + self._routes(room)))

    def _tear_down(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(_ENDED_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_ENDED_WITHIN_S)
        for room in self.names:
            _remove(self.namespace(room))


@contextlib.contextmanager
def rooms(
    cables: Sequence[Cable], held: Mapping[str, Sequence[str]], resolvers: Mapping[str, Sequence[str]]
) -> Iterator[Rooms]:
    """Build the rooms, and tear them down whatever happens inside.

    cables: the chain from left to right; a room's default route leads to the right. held: further addresses that a room
    answers for. resolvers: the name servers in the room's /etc/resolv.conf.
    Killing this process is the only way to leave something behind; the next run sweeps it away.
    """
    _sweep()
    prefix = f"{_PREFIX}-{os.getpid()}-{next(_runs)}"
    built = Rooms(prefix, cables, Path(tempfile.mkdtemp(prefix=f"{prefix}-")))
    try:
        built._build(held, resolvers)
        yield built
    finally:
        built._tear_down()
        shutil.rmtree(built.folder, ignore_errors=True)


def _sweep() -> None:
    """Remove the rooms, and then the files, of runs whose process is gone."""
    for folder, remove in ((_NETNS, _remove), (_ETC_NETNS, _remove), (Path(tempfile.gettempdir()), _delete)):
        for path in folder.glob(f"{_PREFIX}-*-*-*"):
            owner = path.name.split("-")[1]
            if owner.isdigit() and not Path(f"/proc/{owner}").exists():
                remove(path.name)


def _delete(name: str) -> None:
    shutil.rmtree(Path(tempfile.gettempdir()) / name, ignore_errors=True)


def _remove(namespace: str) -> None:
    """End what still runs in a namespace, by process id, and delete it. Quiet when there is none."""
    if (_NETNS / namespace).exists():
        give_up = time.monotonic() + _ENDED_WITHIN_S
        while (numbers := _pids(namespace)) and time.monotonic() < give_up:
            for number in numbers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
        _run(["ip", "netns", "delete", namespace], check=False)
    # The folder above stays, empty or not: another process may be about to put its own rooms' files there.
    shutil.rmtree(_ETC_NETNS / namespace, ignore_errors=True)


def _pids(namespace: str) -> list[int]:
    return [int(number) for number in _run(["ip", "netns", "pids", namespace], check=False).stdout.split()]


def _run(
    argv: Sequence[str],
    *,
    timeout_s: float = COMMAND_TIMEOUT_S,
    check: bool = True,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=check,
            env=None if environment is None else {**os.environ, **environment},
        )
    except subprocess.CalledProcessError as error:
        error.add_note(f"{error.stdout}{error.stderr}")
        raise
