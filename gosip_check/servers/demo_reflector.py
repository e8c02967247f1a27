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
    "one-way-loss": "the line loses 20 % of the packets on the way up, and none on the way down",
}


class DemoReflector:
    """`with DemoReflector(channels, fault) as place`: serves until the block ends; `place` is its HOST:PORT."""

    def __init__(self, channels: int, fault: str | None = None) -> None:
        clean = Impairment()
        self._line = {
            "narrow": (Impairment(rate_kbps=60.0 * channels),) * 2,
            "jitter": (Impairment(jitter_ms=120.0),) * 2,
            "loss": (Impairment(loss=0.2),) * 2,
            "one-way-loss": (Impairment(loss=0.2), clean),
        }.get(fault or "")
        self._stop = threading.Event()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> str:
        with contextlib.ExitStack() as stack:
            reflector = stack.enter_context(Reflector.open(ReflectorOptions(addresses=("127.0.0.1",), ports=(0,))))
            thread = threading.Thread(target=reflector.serve, args=(self._stop,), name="reflector", daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(self._stop.set)
            port = reflector.stamp_ports[0]
            if self._line is not None:
                relay = stack.enter_context(ImpairingRelay(("127.0.0.1", port), *self._line))
                port = relay.port
            self._stack = stack.pop_all()
        return f"127.0.0.1:{port}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
