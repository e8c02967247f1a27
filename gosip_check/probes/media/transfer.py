"""Does the line carry the calls' rate in one direction? A download or an upload to a URL that the user named.

It is read and written at the rate that is needed, and a little more, never as fast as it goes. What arrived, or was
acknowledged, is proof that the line carried it, if nobody at the site answers in the server's name, as the proxy of a
firewall does. Less than that proves nothing: it may be the server, the distance, or one flow's congestion control. So a
transfer passes a direction and never fails one.
"""

import fcntl
import http.client
import os
import socket
import ssl
import struct
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import urllib3
from urllib3.connection import HTTPConnection

from gosip_check.probes import far_end
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import Record

Way = Literal["up", "down"]

START_S = 2.0
"Before what is counted: TCP starts slowly."
_FASTER = 1.1
"So much more than is needed is read or written: a moment's pause can then be made up for."
_LONGER = 0.5
"So much longer it may take until that has been made up for."
_AT_IP = 1500 / 1460
"TCP without options in packets of 1500 octets: each octet of the payload is at least so many at IP."
_CHUNK = 8192
_TIMEOUT_S = 5.0
_NEARER_WITHIN_S = 1.5
"What answers at the site does so at once; and a SYN that was lost is sent again after a second."
_BUFFER_S = 0.25
_LARGEST_BUFFER = 212_992
"What any Linux grants (net.core.rmem_max). Above it the system's own growing buffer is better."
_HTTP_OK = (200, 206)
_LONGEST_TROUBLE = 150
_AS_GOOD_AS_WHOLE = 0.95


class Transfer(Record, frozen=True):
    """What went through. kbps: at IP, at least. seconds: that were counted; 0 where there was nothing to count.

    trouble: why it ended early, or never began, a sentence.
    """

    way: Way
    url: str
    kbps: float
    seconds: float
    trouble: str = ""

    def carries(self, need_kbps: float, seconds: float) -> bool:
        """So much, for so long."""
        return self.kbps >= need_kbps and self.seconds >= _AS_GOOD_AS_WHOLE * seconds


@dataclass(frozen=True)
class Place:
    """Where a URL leads."""

    scheme: str
    host: str
    port: int
    path: str


def place_of(url: str) -> Place:
    """Raises ValueError with a sentence."""
    try:
        parsed = urllib3.util.parse_url(url)
    except urllib3.exceptions.LocationParseError:
        parsed = urllib3.util.Url()
    if parsed.scheme not in ("http", "https") or not parsed.host or not url.isprintable() or " " in url:
        raise ValueError(f"{url!r} is not a URL; https://speed.example.net/100MB would be right.")
    if parsed.auth:
        raise ValueError("the URL must hold no password.")
    port = parsed.port or {"http": 80, "https": 443}[parsed.scheme]
    return Place(parsed.scheme, parsed.host.strip("[]"), port, parsed.request_uri)


def transfer(
    context: Context, way: Way, url: str, need_kbps: float, seconds: float, edge_ttl: int | None = None
) -> Transfer:
    """Takes `seconds` and START_S, and half as long again where the rate is not reached.

    edge_ttl: how many hops away the site ends; None on the loopback, which has no edge.

    Raises ProbeFailed when the run was stopped.
    """
    counted = _Counted(context, need_kbps, seconds)
    trouble = ""
    try:
        connection = _connect(context, place_of(url), need_kbps, edge_ttl)
        try:
            (_download if way == "down" else _upload)(connection, place_of(url), counted)
        finally:
            connection.close()
    except ProbeFailed as failed:
        context.check()
        trouble = failed.failure.message
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, _Refused) as error:
        context.check()
        what = "".join(letter for letter in str(error) if letter.isprintable())[:_LONGEST_TROUBLE].rstrip(". ")
        trouble = f"{url} could not be used: {what}."
    return Transfer(way, url, counted.kbps, counted.lasted_s, trouble)


class _Refused(Exception):
    """What the server answered instead. The text is a clause."""


class _Counted:
    """How much has gone through since the end of the slow start, and whether that is enough."""

    def __init__(self, context: Context, need_kbps: float, seconds: float) -> None:
        self._context, self._seconds, self._need_kbps = context, seconds, need_kbps
        self._octets_per_s = need_kbps * 1000 / 8 / _AT_IP * _FASTER
        self._begun_s = time.monotonic()
        self._from: tuple[float, int] | None = None
        self._to: tuple[float, int] | None = None

    def goes_on(self, through: int) -> bool:
        """through: octets that the line has carried so far. False once it is enough."""
        self._context.check()
        now_s = time.monotonic()
        if self._from is None and now_s - self._begun_s >= START_S:
            self._from = now_s, through
        self._to = now_s, through
        left_s = START_S + self._seconds - (now_s - self._begun_s)
        return left_s > 0 or (self.kbps < self._need_kbps and left_s > -_LONGER * self._seconds)

    def pace(self, handled: int) -> None:
        """Wait until so many octets are due."""
        self._context.wait_until(self._begun_s + handled / self._octets_per_s)

    @property
    def lasted_s(self) -> float:
        return self._to[0] - self._from[0] if self._from and self._to else 0.0

    @property
    def kbps(self) -> float:
        """At IP."""
        if not (self._from and self._to and self.lasted_s):
            return 0.0
        return (self._to[1] - self._from[1]) * _AT_IP * 8 / 1000 / self.lasted_s


def _nobody_nearer(context: Context, address: str, port: int, edge_ttl: int) -> None:
    """Raises _Refused where a SYN is accepted that cannot leave the site: then nothing need cross the line."""
    try:
        sockets.tcp_connect(context, address, port, _NEARER_WITHIN_S, ttl=edge_ttl).close()
    except sockets.ConnectFailed:
        return
    raise _Refused("something at this site answers in the server's name, so it proves nothing of the line")


def _connect(context: Context, place: Place, need_kbps: float, edge_ttl: int | None) -> HTTPConnection:
    """urllib3 over a socket of our own, which is bound to the link. It opens none by itself."""
    address = far_end.resolve(context, place.host)
    if edge_ttl is not None:
        _nobody_nearer(context, address, place.port, edge_ttl)
    sock = sockets.tcp_connect(context, address, place.port, _TIMEOUT_S)
    # What still waits when it is over is thrown away: the system would go on filling the line with it for seconds.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    buffer = int(need_kbps * 1000 / 8 * _BUFFER_S)
    connection = HTTPConnection(address, place.port, timeout=_TIMEOUT_S)
    connection.auto_open = 0
    connection.sock = sock
    try:
        if buffer <= _LARGEST_BUFFER:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, max(buffer, _CHUNK * 4))
        sock.settimeout(_TIMEOUT_S)
        if place.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(sock, server_hostname=place.host)
    except OSError:
        sock.close()
        raise
    return connection


def _headers(place: Place) -> dict[str, str]:
    host = f"[{place.host}]" if ":" in place.host else place.host
    return {"Host": f"{host}:{place.port}", "User-Agent": "gosip-check", "Accept-Encoding": "identity"}


def _download(connection: HTTPConnection, place: Place, counted: _Counted) -> None:
    """A file that ends is asked for again. What waits in the system has arrived as well."""
    read = 0
    while True:
        connection.request("GET", place.path, headers=_headers(place), preload_content=False, decode_content=False)
        response = connection.getresponse()
        if response.status not in _HTTP_OK:
            raise _Refused(f"the server answers {response.status}")
        before = read
        while chunk := response.read(_CHUNK):
            read += len(chunk)
            if not counted.goes_on(read + _queued(connection, termios.FIONREAD)):
                return
            counted.pace(read)
        if read == before:
            raise _Refused("the file is empty")


def _upload(connection: HTTPConnection, place: Place, counted: _Counted) -> None:
    """What was acknowledged counts, whatever the server answers in the end."""

    def body() -> Iterator[bytes]:
        written = 0
        while counted.goes_on(max(0, written - _queued(connection, termios.TIOCOUTQ))):
            yield os.urandom(_CHUNK)  # nothing on the way makes it smaller
            written += _CHUNK
            counted.pace(written)

    connection.request("POST", place.path, body=body(), headers=_headers(place), chunked=True, preload_content=False)


def _queued(connection: HTTPConnection, question: int) -> int:
    """Octets in the system's own queue: not yet read (FIONREAD), or not yet acknowledged (SIOCOUTQ, tcp(7))."""
    if connection.sock is None:
        return 0
    return int(struct.unpack("i", fcntl.ioctl(connection.sock, question, bytes(4)))[0])
