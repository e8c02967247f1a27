"""What does the router say of itself over UPnP: its name, and its address outside? A search on the same subnet.

Everything that comes back is bounded and distrusted: only an address of the same subnet is asked, 64 KiB at most, and
no document that declares a DOCTYPE is parsed. UPnP Device Architecture 1.1, 1.3 (search), 2.3 (description) and 3.2
(control); Internet Gateway Device, WANIPConnection 1 and 2, 2.4.18: GetExternalIPAddress.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_address
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, ProbeFailed

MULTICAST = ("239.255.255.250", 1900)
_WAIT_S = 2.0
_FETCH_S = 3.0
_LARGEST = 64 * 1024
_MOST_DEVICES = 8
_LONGEST = 200
_WAN_CONNECTION = re.compile(r"urn:schemas-upnp-org:service:WAN(IP|PPP)Connection:[12]")

_SEARCH = (
    b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n"
    b"ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"
)  # fmt: skip


_GET_EXTERNAL = (
    '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
    '<u:GetExternalIPAddress xmlns:u="{service}"/></s:Body></s:Envelope>'
)


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
    found = (parse(document, place.address) for place, document in _descriptions(context, subnet, gateway, search))
    return [device for device in found if device is not None]


def external_address(
    context: Context, subnet: IPv4Network, gateway: str, search: tuple[str, int] = MULTICAST
) -> str | None:
    """The IPv4 address that the default gateway says it has outside; None where it does not say. Raises as above.

    It may be wrong: many routers say nothing, and one behind another names an address of the network in between.
    """
    for place, document in _descriptions(context, subnet, gateway, search):
        if place.address != gateway:
            continue
        for service, control in _connections(document):
            there = _place(_joined(place.url, control), gateway, subnet)
            answer = _asked(context, there, _control(service, there)) if there else None
            address = _external(answer) if answer is not None else None
            if address is not None:
                return address
    return None


@dataclass(frozen=True)
class _Place:
    """Where to ask: a URL that was looked at, and what it is made of."""

    url: str
    address: str
    port: int
    path: str


def _descriptions(
    context: Context, subnet: IPv4Network, gateway: str, search: tuple[str, int]
) -> Iterator[tuple[_Place, bytes]]:
    """What the devices that answer say of themselves, the default gateway first."""
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
        return
    for sender, url in sorted(locations.items(), key=lambda item: item[0] != gateway):
        place = _place(url, sender, subnet)
        document = _asked(context, place, _get(place)) if place else None
        if place is not None and document is not None:
            yield place, document


def _location(data: bytes) -> str | None:
    """The LOCATION of an answer to a search."""
    head = data.decode("latin-1")
    if not re.match(r"HTTP/1\.[01] 200\b", head):
        return None
    found = re.search(r"^LOCATION:[ \t]*(\S{1,500})\s*$", head, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else None


def _place(url: str, sender: str, subnet: IPv4Network) -> _Place | None:
    """A device may send us elsewhere; we only ask who answered, and only if it stands next to us."""
    try:
        parts = urlsplit(url)
        address, port = ip_address(parts.hostname or ""), parts.port or 80
    except ValueError:
        return None
    if parts.scheme != "http" or str(address) != sender or address.version != 4 or address not in subnet:
        return None
    path = parts.path or "/"
    return _Place(url, str(address), port, path + (f"?{parts.query}" if parts.query else ""))


def parse(document: bytes, address: str) -> Device | None:
    """The root device of a description, not those within it; None for what is none."""
    root = _root(document)
    if root is None:
        return None
    words: dict[str, str] = {}
    for element in root.findall("{*}device/*"):
        words.setdefault(element.tag.rpartition("}")[2], (element.text or "").strip()[:_LONGEST])
    if not words.get("manufacturer") and not words.get("modelName"):
        return None
    return Device(address, words.get("manufacturer", ""), words.get("modelName", ""), words.get("modelNumber", ""))


def _root(document: bytes) -> ElementTree.Element | None:
    if len(document) > _LARGEST or b"<!DOCTYPE" in document.upper() or b"\x00" in document:
        return None
    try:
        return ElementTree.fromstring(document)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None


def _connections(document: bytes) -> Iterator[tuple[str, str]]:
    """(type, control URL) of the services that know the address outside."""
    root = _root(document)
    for service in () if root is None else root.iter():
        kind = (service.findtext("{*}serviceType") or "").strip()
        control = (service.findtext("{*}controlURL") or "").strip()
        if _WAN_CONNECTION.fullmatch(kind) and control.isprintable() and len(control) <= _LONGEST:
            yield kind, control


def _joined(url: str, control: str) -> str:
    try:
        return urljoin(url, control)
    except ValueError:
        return ""


def _external(answer: bytes) -> str | None:
    root = _root(answer)
    element = None if root is None else next(root.iter("NewExternalIPAddress"), None)
    try:
        return None if element is None else str(IPv4Address((element.text or "").strip()))
    except ValueError:
        return None


def _get(place: _Place) -> str:
    return f"GET {place.path} HTTP/1.0\r\nHost: {place.address}:{place.port}\r\nConnection: close\r\n\r\n"


def _control(service: str, place: _Place) -> str:
    body = _GET_EXTERNAL.format(service=service)
    return (
        f"POST {place.path} HTTP/1.0\r\nHost: {place.address}:{place.port}\r\nConnection: close\r\n"
        f'SOAPACTION: "{service}#GetExternalIPAddress"\r\nContent-Type: text/xml; charset="utf-8"\r\n'
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


def _asked(context: Context, place: _Place, request: str) -> bytes | None:
    """The body of an HTTP/1.0 answer: it ends with its length, else with the connection. None for anything but 200."""
    until_s = time.monotonic() + _FETCH_S
    content = b""
    try:
        with sockets.tcp_connect(context, place.address, place.port, _FETCH_S) as sock:
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
