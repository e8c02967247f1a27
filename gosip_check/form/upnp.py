"""What does the router call itself? UPnP: a search on the same subnet, and the description that it names.

Not a probe of the checklist: `gosip-check form fill` asks. Everything that comes back is bounded and distrusted: only
an address of the same subnet is fetched from, 64 KiB at most, and no document that declares a DOCTYPE is parsed.
UPnP Device Architecture 1.1, 1.3 (search) and 2.3 (description).
"""

import re
import time
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address
from urllib.parse import urlsplit
from xml.etree import ElementTree

from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, ProbeFailed

MULTICAST = ("239.255.255.250", 1900)
_WAIT_S = 2.0
_FETCH_S = 3.0
_LARGEST = 64 * 1024
_MOST_DEVICES = 8
_LONGEST = 200

_SEARCH = (
    b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n"
    b"ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"
)  # fmt: skip


@dataclass(frozen=True)
class Device:
    """What a device says of itself; empty where it says nothing."""

    address: str
    manufacturer: str
    model: str
    release: str


def devices(context: Context, subnet: IPv4Network, gateway: str, search: tuple[str, int] = MULTICAST) -> list[Device]:
    """The internet gateways that answer on this subnet, the default gateway first. Empty where none does.

    The question goes to the multicast group and to the gateway itself. Raises ProbeFailed(interrupted) only.
    """
    locations: dict[str, str] = {}
    try:
        with sockets.udp_socket(context.link) as sock:
            for address, port in dict.fromkeys([search, (gateway, search[1])]):
                sockets.send_to(sock, _SEARCH, address, port)
            for _, datagrams, _ in sockets.arrivals(context, [sock], time.monotonic() + _WAIT_S):
                for datagram in datagrams:
                    location = _location(datagram.data)
                    if location and len(locations) < _MOST_DEVICES:
                        locations.setdefault(datagram.address, location)
    except ProbeFailed:
        context.check()
        return []
    ordered = sorted(locations.items(), key=lambda item: item[0] != gateway)
    return [device for sender, url in ordered if (device := _describe(context, subnet, sender, url)) is not None]


def _location(data: bytes) -> str | None:
    """The LOCATION of an answer to a search."""
    head = data.decode("latin-1")
    if not re.match(r"HTTP/1\.[01] 200\b", head):
        return None
    found = re.search(r"^LOCATION:[ \t]*(\S{1,500})\s*$", head, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else None


def _describe(context: Context, subnet: IPv4Network, sender: str, url: str) -> Device | None:
    try:
        parts = urlsplit(url)
        address, port = ip_address(parts.hostname or ""), parts.port or 80
    except ValueError:
        return None
    if parts.scheme != "http" or str(address) != sender or address.version != 4 or address not in subnet:
        return None  # a device may send us elsewhere; we only ask who answered, and only if it stands next to us
    path = parts.path or "/"
    path += f"?{parts.query}" if parts.query else ""
    document = _fetch(context, str(address), port, path)
    return None if document is None else parse(document, str(address))


def parse(document: bytes, address: str) -> Device | None:
    """The root device of a description, not those within it; None for what is none."""
    if len(document) > _LARGEST or b"<!DOCTYPE" in document.upper() or b"\x00" in document:
        return None
    try:
        root = ElementTree.fromstring(document)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    words: dict[str, str] = {}
    for element in root.findall("{*}device/*"):
        words.setdefault(element.tag.rpartition("}")[2], (element.text or "").strip()[:_LONGEST])
    if not words.get("manufacturer") and not words.get("modelName"):
        return None
    return Device(address, words.get("manufacturer", ""), words.get("modelName", ""), words.get("modelNumber", ""))


def _fetch(context: Context, address: str, port: int, path: str) -> bytes | None:
    """The body of an HTTP/1.0 answer: it ends with its length, else with the connection. None for anything but 200."""
    until_s = time.monotonic() + _FETCH_S
    request = f"GET {path} HTTP/1.0\r\nHost: {address}:{port}\r\nConnection: close\r\n\r\n"
    content = b""
    try:
        with sockets.tcp_connect(context, address, port, _FETCH_S) as sock:
            sock.sendall(request.encode("ascii", errors="replace"))
            while len(content) <= _LARGEST and not _is_whole(content):
                chunk = sockets.receive(context, sock, until_s)
                if chunk is None:
                    return None
                if not chunk:
                    break
                content += chunk
    except (ProbeFailed, OSError):
        context.check()
        return None
    head, _, body = content.partition(b"\r\n\r\n")
    return body if re.match(rb"HTTP/1\.[01] 200\b", head) and len(content) <= _LARGEST else None


def _is_whole(content: bytes) -> bool:
    head, blank, body = content.partition(b"\r\n\r\n")
    length = re.search(rb"^content-length:[ \t]*([0-9]{1,9})[ \t]*\r?$", head, re.IGNORECASE | re.MULTILINE)
    return bool(blank) and length is not None and len(body) >= int(length[1])
