"""The demo's far end for media: a reflector on loopback, and a bad line before it when a fault is asked for."""

import contextlib
import threading
from types import TracebackType

from gosip_check.servers.impairment import ImpairingRelay, Impairment
from gosip_check.servers.reflector import Reflector, ReflectorOptions

FAULTS = {
    "narrow": "the line has room for 60 % of the channels in each direction",
    "jitter": "packets arrive up to 120 ms late, each on its own",
    "loss": "the line loses 20 % of the packets in each direction",
    "lossy": "the line loses 3 % of the packets in each direction, however few they are",
    "one-way": "the line loses 80 % of the packets on the way down: one side is hardly heard",
    "blocked-rtp": "the firewall blocks the upper half of the media ports",
    "one-way-loss": "the line loses 20 % of the packets on the way up, and none on the way down",
}


_INSIDE = "127.22.184.30"
"In the provider's networks as the demo has them (servers/trunk.py)."

_PORTS = 256
_MEDIA_PORTS = range(20000, 30000, 1000)
"Where the media range of `blocked-rtp` may begin."


def _reflector(address: str, *ports: int) -> Reflector:
    return Reflector.open(ReflectorOptions(addresses=(address,), ports=ports))


class DemoReflector:
    """`with DemoReflector(channels, fault) as place`: serves until the block ends; `place` is its HOST:PORT.

    rtp_ports: the media range, where the fault needs a small one of its own.
    """

    def __init__(self, channels: int, fault: str | None = None) -> None:
        clean = Impairment()
        self._line = {
            "narrow": (Impairment(rate_kbps=60.0 * channels),) * 2,
            "jitter": (Impairment(jitter_ms=120.0),) * 2,
            "loss": (Impairment(loss=0.2),) * 2,
            "lossy": (Impairment(loss=0.03),) * 2,
            "one-way": (clean, Impairment(loss=0.8)),
            "one-way-loss": (Impairment(loss=0.2), clean),
        }.get(fault or "")
        self._blocks = fault == "blocked-rtp"
        self.rtp_ports: tuple[int, int] | None = None
        self._stop = threading.Event()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> str:
        with contextlib.ExitStack() as stack:
            reflector = stack.enter_context(self._half_open() if self._blocks else _reflector("127.0.0.1", 0))
            thread = threading.Thread(target=reflector.serve, args=(self._stop,), name="reflector", daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(self._stop.set)
            port = reflector.stamp_ports[0]
            if self._line is not None:
                relay = stack.enter_context(ImpairingRelay(("127.0.0.1", port), *self._line))
                port = relay.port
            self._stack = stack.pop_all()
        return f"{_INSIDE if self._blocks else '127.0.0.1'}:{port}"

    def _half_open(self) -> Reflector:
        """One in the provider's networks that answers on the lower half of `rtp_ports`; some of them may be taken."""
        for first in _MEDIA_PORTS:
            self.rtp_ports = (first, first + _PORTS - 1)
            try:
                return _reflector(_INSIDE, 0, *range(first, first + _PORTS // 2))
            except OSError:
                continue
        raise OSError("no ports are free for the media of the demo")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
