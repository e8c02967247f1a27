"""A file that should be text and cannot be read: what it is instead, and how to save it right. Reads no file itself.

Windows saves text as UTF-16 (PowerShell's `>`, "Unicode" in Notepad), and a word processor turns quotes into
typographic ones. Every layer may import this, and it imports none.
"""

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_TYPOGRAPHIC = {"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"', "\u2018": "'", "\u2019": "'"}
"A quote as word processors write it -> the one that was typed."


def encoding_trouble(content: bytes) -> str:
    """The rest of a sentence after the file's name, without the full stop; empty where it is UTF-8."""
    zeros = content[:64].count(0)
    if content.startswith(_UTF_16) or (zeros and zeros * 3 >= len(content[:64])):
        return "is UTF-16 text, as Notepad and PowerShell may save it; save it as UTF-8"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
    return ""


def quotes_trouble(text: str, line: int) -> str:
    """A sentence where that line, counted from 1, has typographic quotes; else empty."""
    lines = text.split("\n")
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    found = next((mark for mark in here if mark in _TYPOGRAPHIC), None)
    return (
        "" if found is None else f"Line {line} has the typographic quote {found}; type {_TYPOGRAPHIC[found]} instead."
    )
