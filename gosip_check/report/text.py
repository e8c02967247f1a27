"""Text from the network, made safe to show. Every output that a person or a terminal reads passes through here.

A header can carry an escape sequence that retitles the window, or marks that turn a line around; none of it may
be obeyed, and none of it may vanish either.
"""

import re

# C0, DEL and C1 controls; bidirectional marks, embeddings and isolates (UAX 9); line and paragraph separators; the
# byte-order mark; letters that nobody sees (soft hyphen, Hangul fillers, Mongolian vowel separator), and tags; lone
# surrogates, which no encoding can write.
_HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)

LONGEST = 2000
"More characters than anybody reads in a cell; what is longer is cut, and says so."


_BRIEF = 120


def visible(text: str, longest: int = LONGEST) -> str:
    r"""The text on one line, with every control character written out, such as \x1b."""
    cut = len(text) - longest
    if cut > 0:
        text = text[:longest]
    text = _HOSTILE.sub(lambda match: _written(match[0]), text)
    return f"{text}... ({cut} more characters)" if cut > 0 else text


def brief(text: str) -> str:
    """The text on one line, of which no more than 120 characters are left."""
    safe = visible(text)
    return safe if len(safe) <= _BRIEF else f"{safe[: _BRIEF - 3].rstrip()}..."


def _written(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
