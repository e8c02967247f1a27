"""Every format of the table, against a file of its own: golden/report.<format>, or what a reader makes of it.

The report that they are made of is golden/report.json, which is the JSON format's own file. Where a change is meant:
`GOSIP_WRITE_GOLDEN=1 python -m pytest tests/unit/report/test_formats.py`, and read the difference before it is kept.
"""

import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from gosip_check.records import Report
from gosip_check.report import FORMATS, Format, NotInstalled

GOLDEN = Path(__file__).parent / "golden"


def in_lines(text: str) -> str:
    """The words alone: where a line or a page ends depends on fonts and versions."""
    return "\n".join(textwrap.wrap(" ".join(text.replace("\u200b", "").split()), 120)) + "\n"


def text_of_pdf(document: bytes) -> str:
    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("needs pdftotext to read it")
    done = subprocess.run([reader, "-", "-"], input=document, capture_output=True, check=True, timeout=60)
    return in_lines(done.stdout.decode())


def text_of_svg(document: str) -> str:
    """The picture's frame and colours are rich's, and others in each of its versions."""
    return in_lines(" ".join(ElementTree.fromstring(document).itertext()).split("}")[-1])


# Formats whose bytes depend on the library that makes them -> who reads them. All others are compared to the byte.
READERS: dict[str, Callable[..., str]] = {"pdf": text_of_pdf, "svg": text_of_svg}


def golden(name: str) -> Path:
    return GOLDEN / (f"report.{name}.txt" if name in READERS else f"report.{name}")


@pytest.fixture
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The terminal shows local time."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_utc")
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.waits) if n == "pdf" else n for n in FORMATS])
def test_a_report_in_every_format(name: str) -> None:
    report = msgspec.json.decode((GOLDEN / "report.json").read_bytes(), type=Report)
    try:
        written = FORMATS[name](report)
    except NotInstalled as sentence:
        pytest.skip(str(sentence))
    text = READERS[name](written) if name in READERS else written
    content = text if isinstance(text, bytes) else text.encode()
    if os.environ.get("GOSIP_WRITE_GOLDEN"):
        golden(name).write_bytes(content)
    assert golden(name).is_file(), f"{golden(name).name} is missing; the docstring of this file says how it is made"
    assert content.decode(errors="replace") == golden(name).read_text(errors="replace")


def test_no_golden_file_is_left_of_a_format_that_is_gone() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {golden(name).name for name in FORMATS}


def test_every_format_says_what_it_is_for() -> None:
    for name, document in FORMATS.items():
        assert document.name == name
        assert re.fullmatch(r"[a-z]+", name)
        assert document.option.endswith((".", "nothing else."))


def test_what_is_not_installed_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    monkeypatch.delitem(sys.modules, "gosip_check.report.to_pdf", raising=False)
    with pytest.raises(NotInstalled) as caught:
        FORMATS["pdf"].load()
    assert str(caught.value) == (
        "PDF needs the extra `pdf`: pip install 'gosip-check[pdf]'. Or print the page of `gosip-check report html`: it "
        "is made for A4."
    )
    with pytest.raises(ModuleNotFoundError):  # no extra of that name could help
        Format("gone", "").load()
