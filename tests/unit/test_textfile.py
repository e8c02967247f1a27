"""Files that a person saved otherwise than as UTF-8, or wrote in a word processor: each is named, with what to do."""

import codecs

import pytest

from gosip_check.report.load import ReportError, document_of
from gosip_check.tomlfile import TomlError, parse

TEXT = 'company_name = "\u0120or\u0121 Ltd"\n'


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_called_so(encoding: str) -> None:
    with pytest.raises(TomlError, match=r"^f\.toml: is UTF-16 text, .*; save it as UTF-8\.$"):
        parse(TEXT.encode(encoding), "f.toml")
    with pytest.raises(ReportError, match=r"^r\.json: is UTF-16 text, .*; save it as UTF-8\.$"):
        document_of('{"schema": "x"}'.encode(encoding), "r.json")


def test_what_is_saved_with_a_byte_order_mark_is_read() -> None:
    assert parse(codecs.BOM_UTF8 + TEXT.encode(), "f.toml") == {"company_name": "\u0120or\u0121 Ltd"}
    assert document_of(codecs.BOM_UTF8 + b"{}", "r.json") == {}


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "mac-roman"])
def test_another_encoding_is_refused_with_the_place(encoding: str) -> None:
    with pytest.raises(TomlError, match=r"^f\.toml: is not UTF-8 text \(byte 14\); save it as UTF-8\.$"):
        parse('contact = "Ren\u00e9"\n'.encode(encoding), "f.toml")


@pytest.mark.parametrize(
    ("line", "typed"),
    [("a = \u201cx\u201d", '"'), ("a = \u2018x\u2019", "'"), ("a = \u201ex\u201c", '"'), ("\u00aba\u00bb = 1", '"')],
)
def test_quotes_of_a_word_processor_are_named(line: str, typed: str) -> None:
    quote = next(mark for mark in line if ord(mark) > 127)
    with pytest.raises(TomlError, match=rf"Line 2 has the typographic quote {quote}; type {typed} instead\.$"):
        parse(f"b = 1\n{line}\n".encode(), "f.toml")


def test_such_quotes_within_a_text_are_a_matter_of_taste() -> None:
    assert parse('a = "the \u201cbig\u201d one"'.encode(), "f.toml") == {"a": "the \u201cbig\u201d one"}
    with pytest.raises(TomlError) as caught:
        parse('a = "the \u201cbig\u201d one"\nb ='.encode(), "f.toml")
    assert "typographic" not in str(caught.value)
