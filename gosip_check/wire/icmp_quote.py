"""ICMP errors quote the packet that caused them: cut the quote down to what the router really saw of our payload.

Pure: the bytes come from a socket's error queue (ip(7)) and begin behind the quoted UDP header. This file does not know
what the payload means; `rewriting` compares it.
"""

_HEADERS_SIZE = 28
"IPv4 header without options and UDP header: what stands in a quote before the payload."

_PADDED_SIZE = 128
"RFC 4884 4: a quote that is followed by extensions is padded with zeros to at least this many octets."

_EXTENSION_VERSION = 2
_EXTENSION_HEADER_SIZE = 4


def payload_of(quoted: bytes, quoted_length: int = 0) -> bytes:
    """The part of `quoted` that is ours: without ICMP extensions behind it (RFC 4884) and without zero padding.

    quoted: what the error queue gave, from the first octet behind the UDP header on; any bytes at all.
    quoted_length: what the ICMP message stated as its length, in octets behind the UDP header; 0 where nothing.
    Trailing zeros are taken for padding, so a payload that ends in zeros is shortened too; SIP never ends so.
    """
    if 0 < quoted_length <= len(quoted):
        quoted = quoted[:quoted_length]
    elif _extensions_begin_at(quoted, _PADDED_SIZE - _HEADERS_SIZE):
        quoted = quoted[: _PADDED_SIZE - _HEADERS_SIZE]
    return quoted.rstrip(b"\0")


def _extensions_begin_at(quoted: bytes, offset: int) -> bool:
    """RFC 4884 5: routers older than the length field put extensions at octet 128; version and checksum tell."""
    extensions = quoted[offset:]
    if len(extensions) < _EXTENSION_HEADER_SIZE or len(extensions) % 4 or extensions[0] >> 4 != _EXTENSION_VERSION:
        return False
    if extensions[2:4] == b"\0\0":  # RFC 4884 7: no checksum was transmitted
        return False
    total = sum(int.from_bytes(extensions[index : index + 2], "big") for index in range(0, len(extensions), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF
