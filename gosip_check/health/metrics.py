"""Serves metrics over HTTP to whoever scrapes them: few at once and none for long, so that checks have their share."""

import contextlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from prometheus_client import CollectorRegistry, MetricsHandler

AT_ONCE = 8
"Connections: checks need descriptors, too. One more makes the oldest end; a scraper asks as soon as it is connected."
LONGEST_S = 10.0
"From connecting to the end of the answer."
_NO_DESCRIPTOR_S = 0.1


class MetricsServer(ThreadingMixIn, TCPServer):
    """`start` begins and `close` ends it. Raises OSError where the address cannot be listened on."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 2 * AT_ONCE

    def __init__(self, address: str, port: int, registry: CollectorRegistry) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._since_s: dict[Any, float] = {}
        super().__init__((address, port), _handler(registry))
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="metrics", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """End at once: who is still being answered is cut off."""
        self.shutdown()
        self.server_close()
        self._thread.join()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Where no descriptor is left the connection waits, and so does this thread for a moment."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(_NO_DESCRIPTOR_S)
            raise

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """There is room for it, which the oldest may have to make."""
        del client_address
        if len(self._since_s) >= AT_ONCE:
            self._cut_off(next(iter(self._since_s)))
        self._since_s[request] = time.monotonic()
        return True

    def service_actions(self) -> None:
        """Cut off who takes too long."""
        now_s = time.monotonic()
        for request, since_s in list(self._since_s.items()):
            if now_s - since_s > LONGEST_S:
                self._cut_off(request)

    def _cut_off(self, request: Any) -> None:
        """Its thread notices, and closes it."""
        self._since_s.pop(request, None)
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """One connection is over."""
        self._since_s.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks off is no matter of ours."""


def _handler(registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(MetricsHandler.factory(registry)):  # type: ignore[misc]
        timeout = LONGEST_S

    return Handler
