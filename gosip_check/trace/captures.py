"""Capture files to packets: pcap in all byte orders and resolutions, pcapng, both gzipped. Headers of files only.

pcap: draft-ietf-opsawg-pcap; pcapng: draft-ietf-opsawg-pcapng. Secrets blocks of pcapng are skipped like every other
block that carries no packet.
"""

import gzip
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO

Packet = tuple[float, int, bytes, int]
"Time in seconds, link type, the octets that were kept, and how many there were on the wire."

LARGEST_PACKET = 262_144
"What tcpdump and Wireshark take at most; a length beyond is damage."
_LARGEST_BLOCK = 16 * 1024 * 1024
_CHUNK = 1 << 20
_MOST_TIMES = 256
_LEAST_OCTETS = 2
"""What gzip makes of a file, and of a packet. RTP of silence packs to a twentieth, the same request again and again to
1 in 190; the time of a packet alone, which ends in microseconds, takes two octets. What packs better was made for it.
"""

_PCAP: dict[bytes, tuple[str, int, int]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000, 16),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000, 16),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000, 16),
    b"\x34\xcd\xb2\xa1": ("<", 1_000_000, 24),
    b"\xa1\xb2\xcd\x34": (">", 1_000_000, 24),
}
"Magic -> byte order, ticks a second, length of a record's header (24: the modified format of old Linux kernels)."

_SECTION = b"\x0a\x0d\x0d\x0a"
_GZIP = b"\x1f\x8b"

Say = Callable[[str], None]
"Takes a sentence about what could not be read."


def is_capture(head: bytes) -> bool:
    """By the first octets of a file, gunzipped where it is gzip."""
    return head[:4] in _PCAP or head[:4] == _SECTION


def open_file(path: Path) -> IO[bytes]:
    """The file, gunzipped while it is read. Raises OSError."""
    file = path.open("rb")
    is_gzip = file.read(2) == _GZIP
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return _Unpacked(file, size) if is_gzip else file  # type: ignore[return-value]


class _Unpacked(gzip.GzipFile):
    """Gunzipped, but no more of it than a capture or a log can be packed into so many octets."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        super().__init__(fileobj=file)
        self._most = max(_MOST_TIMES * size, _LARGEST_BLOCK)
        self.most_packets = size // _LEAST_OCTETS

    def read(self, size: int | None = -1) -> bytes:
        """Raises OSError where there is more."""
        content = super().read(size)
        if self.tell() > self._most:
            raise OSError(f"it unpacks to more than {_MOST_TIMES} times its size")
        return content


def packets(file: IO[bytes], say: Say) -> Iterator[Packet]:
    """Every packet of a capture, to the first damage. `file` stands at its beginning."""
    buffered = _Buffered(file, say)
    magic = buffered.peek(4)
    found = _pcapng(buffered, say) if magic == _SECTION else _pcap(buffered, say) if magic in _PCAP else iter(())
    if not isinstance(file, _Unpacked):
        yield from found
        return
    yield from islice(found, file.most_packets)
    if next(found, None) is not None:
        say("The file has more packets than anything but zeros packs into its size; the later ones were left out.")


class _Buffered:
    """Reads ahead in large chunks, because two reads a packet cost more than the rest of the reader."""

    def __init__(self, file: IO[bytes], say: Say) -> None:
        self._file, self._say = file, say
        self.content, self.at = b"", 0

    def holds(self, length: int) -> bool:
        """Make at least so many octets available at `at`; False where the file ends before."""
        missing = length - (len(self.content) - self.at)
        if missing <= 0:
            return True
        self.content = self.content[self.at :]
        self.at = 0
        parts = [self.content]
        while missing > 0:
            more = self._read(max(_CHUNK, missing))
            if not more:
                break
            parts.append(more)
            missing -= len(more)
        self.content = b"".join(parts)
        return missing <= 0

    def _read(self, length: int) -> bytes:
        try:
            return self._file.read(length)
        except (OSError, EOFError, zlib.error) as error:
            self._say(f"The file is damaged, and was read up to there: {error}.")
            return b""

    def peek(self, length: int) -> bytes:
        self.holds(length)
        return self.content[self.at : self.at + length]

    @property
    def left(self) -> int:
        return len(self.content) - self.at


def _pcap(file: _Buffered, say: Say) -> Iterator[Packet]:
    order, per_second, record = _PCAP[file.peek(4)]
    if not file.holds(24):
        say("The capture ends within its first header.")
        return
    link_type = struct.unpack_from(f"{order}I", file.content, 20)[0] & 0xFFFF
    file.at = 24
    header = struct.Struct(f"{order}IIII").unpack_from
    while file.holds(record):
        content, at, last = file.content, file.at, len(file.content)
        while at + record <= last:
            seconds, fraction, kept, original = header(content, at)
            if kept > LARGEST_PACKET:
                say(f"The capture is damaged: a packet of {kept} octets. It was read up to there.")
                return
            end = at + record + kept
            if end > last:
                break
            yield seconds + fraction / per_second, link_type, content[at + record : end], original
            at = end
        file.at = at
        if at + record <= last and not file.holds(record + kept):
            break
    if file.left:
        say("The capture ends within a packet: it was cut, and read up to there.")


def _pcapng(file: _Buffered, say: Say) -> Iterator[Packet]:
    order = "<"
    interfaces: list[tuple[int, float, float, int]] = []
    while file.holds(12):
        if file.peek(4) == _SECTION:
            order = ">" if file.content[file.at + 8 : file.at + 12] == b"\x1a\x2b\x3c\x4d" else "<"
            interfaces = []
        kind, length = struct.unpack_from(f"{order}II", file.content, file.at)
        if not 12 <= length <= _LARGEST_BLOCK or length % 4:
            say(f"The capture is damaged: a block of {length} octets. It was read up to there.")
            return
        if not file.holds(length):
            break
        body = file.content[file.at + 8 : file.at + length - 4]
        file.at += length
        if kind == 1 and len(body) >= 8:
            interfaces.append(_interface(body, order))
        elif kind in (2, 3, 6):
            packet = _packet(kind, body, order, interfaces)
            if packet is not None:
                yield packet
    if file.left:
        say("The capture ends within a block: it was cut, and read up to there.")


def _interface(body: bytes, order: str) -> tuple[int, float, float, int]:
    """Link type, seconds a tick, offset in seconds, and how much of a packet is kept (0: all)."""
    link_type, _, snaplen = struct.unpack_from(f"{order}HHI", body)
    tick_s, offset_s, at = 1e-6, 0.0, 8
    while at + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if code == 0:
            break
        if code == 9 and value:  # if_tsresol
            tick_s = 2.0 ** -(value[0] & 127) if value[0] & 128 else 10.0 ** -value[0]
        elif code == 14 and len(value) == 8:  # if_tsoffset
            offset_s = float(struct.unpack(f"{order}q", value)[0])
        at += 4 + length + -length % 4
    return link_type, tick_s, offset_s, snaplen


def _packet(kind: int, body: bytes, order: str, interfaces: list[tuple[int, float, float, int]]) -> Packet | None:
    """Enhanced (6), simple (3) and obsolete (2) packet blocks; None for one that fits no interface."""
    if kind == 3:
        if not interfaces or len(body) < 4:
            return None
        original = struct.unpack_from(f"{order}I", body)[0]
        link_type, _, _, snaplen = interfaces[0]
        kept = min(original, snaplen or original, len(body) - 4)
        return 0.0, link_type, body[4 : 4 + kept], original
    if len(body) < 20:
        return None
    number, high, low, kept, original = struct.unpack_from(f"{order}{'IIIII' if kind == 6 else 'HxxIIII'}", body)
    if number >= len(interfaces) or kept > len(body) - 20:
        return None
    link_type, tick_s, offset_s, _ = interfaces[number]
    return ((high << 32) + low) * tick_s + offset_s, link_type, body[20 : 20 + kept], original
