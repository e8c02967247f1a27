"""The head of a SIP message that cannot be read as a whole, because its body or its Content-Length is wrong.

RFC 3261 18.3 has such a message discarded. Its status is an answer all the same: whoever sent it got our request. And
what a stranger's bytes are, in words, where they are no SIP at all.
"""

import re

from gosip_check.wire import sip
from gosip_check.wire.sip import Message
from gosip_check.wire.sip_fields import WireError, shown

_CONTENT_LENGTH = re.compile(rb"(?im)^(content-length|l)[ \t]*:.*\n")
_HEAD_END = re.compile(rb"\r?\n(?=\r?\n)")
_LONGEST_LINE = 200


def head_of(data: bytes) -> tuple[Message, bool]:
    """The message without Content-Length and body, and whether its head is whole; unfinished lines are left out.

    Raises WireError where the head itself cannot be read.
    """
    data = data.lstrip(b"\r\n")
    end = _HEAD_END.search(data)
    head = data[: end.end() if end else data.rfind(b"\n") + 1]
    return sip.parse(_CONTENT_LENGTH.sub(b"", head)), end is not None


def described(data: bytes, error: WireError) -> str:
    """What was answered instead of SIP, to follow on who answered."""
    first = data.lstrip(b"\r\n")[:_LONGEST_LINE].partition(b"\n")[0].decode("latin-1").strip()
    if first.upper().startswith("HTTP/"):
        return f"answered in HTTP ({shown(first)}), which is what web servers speak, and not in SIP"
    if first.upper().startswith("SIP/"):
        return f"answered in SIP that cannot be read: {error}"
    return f"answered {len(data)} octets that are not SIP ({error})"
