"""Reports: hostile text stays text in every format, and what is written is whole or not there."""

import io
import json
import os
import re
import stat
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from gosip_check.records import Equipment, Form, Readiness, Report
from gosip_check.report import FORMATS
from gosip_check.report.output import Output, OutputError
from gosip_check.report.text import visible
from gosip_check.report.to_json import to_json
from gosip_check.report.to_nagios import to_nagios
from gosip_check.report.to_svg import to_svg
from gosip_check.report.to_terminal import _facts, closing_line, print_summary
from tests.unit.records import measurement, report, verdict

HOSTILE = {
    "escape sequence": "\x1b]0;owned\x07\x1b[2J",
    "C1 control": "\x9b31m",
    "line breaks": "a\r\nb\u2028c",
    "markup": "[/red][bold]x[/x]",
    "emoji code": ":smile:",
    "script": "<script>alert(1)</script>",
    "right to left": "\u202eexe.fdp\u202c\u2066x\u2069",
    "byte-order mark": "\ufeffx",
    "tag characters": "\U000e0041",
    "NUL": "a\x00b",
    "long": "x" * 10_000,
}
OBEYED = set(map(chr, [*range(0x20), *range(0x7F, 0xA0)])) | set(
    "\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e"
)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_visible_leaves_nothing_that_is_obeyed(text: str) -> None:
    assert not OBEYED & set(visible(text))


def test_visible_shows_what_it_took_out() -> None:
    assert visible("a\x1b[31mb\u202e\U000e0041") == "a\\x1b[31mb\\u202e\\U000e0041"
    assert visible("a\u00ad\u3164\u115f\u180e\uffa0") == "a\\xad\\u3164\\u115f\\u180e\\uffa0"
    assert visible("ħello Ġorġ") == "ħello Ġorġ"
    assert visible("abcdef", 3) == "abc... (3 more characters)"


def hostile_report(text: str) -> Report:
    return report(
        verdict("fail", reason=text, title=text, hint=text, source=text),
        verdict("skipped", reason=text, id="group.other"),
        form=Form(company_name=text, contact=text, pbx=Equipment(vendor=text), comments=text),
        measurements=[measurement({"server": text, "list": [{"a": text}], "evidence": {"server": text}})],
        outcome=Readiness.NOT_READY,
        command="srv",
    )


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_stays_text_on_the_terminal(text: str, width: int) -> None:
    file = io.StringIO()
    console = Console(file=file, width=width, markup=False, emoji=False, highlight=False, color_system=None)
    print_summary(console, hostile_report(text), everything=True, details=True)
    shown = file.getvalue()
    assert not OBEYED & set(shown) - {"\n"}
    assert all(len(line) <= width for line in shown.splitlines())
    if text.isprintable() and len(text) < 40:
        assert text in shown


def planted(value: Any, text: str) -> Any:
    """The report with `text` in every string that may hold any."""
    if isinstance(value, msgspec.Struct):
        names = [f.name for f in msgspec.structs.fields(value) if f.name != "schema"]
        return msgspec.structs.replace(value, **{name: planted(getattr(value, name), text) for name in names})
    if isinstance(value, StrEnum):  # of a closed set: a file with another word is refused
        return value
    if isinstance(value, str):
        return text + value
    if isinstance(value, list):
        return [planted(item, text) for item in value]
    if isinstance(value, dict):
        return {planted(name, text): planted(item, text) for name, item in value.items()}
    return value


@pytest.mark.parametrize("text", ["\x1b]0;x\x07\x1b[31m\u202e", "\x00\x9b2J\x85"])
def test_no_string_of_a_report_reaches_an_output_as_it_is(text: str) -> None:
    whole = planted(hostile_report("x"), text)
    file = io.StringIO()
    console = Console(file=file, width=100, markup=False, emoji=False, highlight=False, color_system=None)
    print_summary(console, whole, everything=True, details=True)
    written = [document(whole) for document in FORMATS.values()]
    for output in (file.getvalue(), to_nagios(whole), *written):  # what is binary, no terminal is shown
        assert isinstance(output, bytes) or not OBEYED & set(output) - {"\n"}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_survives_json_and_cannot_drive_a_terminal(text: str) -> None:
    written = to_json(hostile_report(text))
    assert not OBEYED & set(written) - {"\n"}
    assert json.loads(written)["form"]["company_name"] == text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_stays_text_in_the_picture(text: str) -> None:
    from xml.etree import ElementTree

    picture = to_svg(hostile_report(text))
    assert not [element for element in ElementTree.fromstring(picture).iter() if element.tag.endswith("script")]
    assert not OBEYED & set(picture) - {"\n"}


def test_the_picture_fetches_nothing() -> None:
    picture = to_svg(report(verdict()))
    assert "url(" not in picture.replace("url(#", "")
    assert set(re.findall(r"https?://[^\s\"<]+", picture)) <= {
        "http://www.w3.org/2000/svg",
        "https://www.textualize.io",
    }


def test_what_failed_stands_with_its_hint() -> None:
    file = io.StringIO()
    verdicts = (
        verdict("pass", id="dns.ttl", group="dns", reason="300 s."),
        verdict("fail", id="alg.absent", group="alg", reason="It rewrote Via.", hint="Switch it off."),
    )
    console = Console(file=file, width=100, markup=False, emoji=False, highlight=False, color_system=None)
    print_summary(console, report(*verdicts, outcome=Readiness.NOT_READY), everything=True)
    lines = [line.strip() for line in file.getvalue().splitlines() if line.strip()]
    assert lines.index("-> Switch it off.") == lines.index("It rewrote Via.") + 1
    assert "-> Do this." not in lines  # no hint for what passed
    assert hints("fail") == hints("warn") == 1
    assert hints("unknown", facts={"ok": None}) == 0  # nothing was found that could be fixed
    assert hints("skipped") == 0
    assert any("No Customer Compliance Form" in line for line in lines)


@pytest.mark.parametrize("format_", ["html", "svg", "terminal", "quiet"])
def test_after_a_refused_login_nobody_is_sent_to_run_it_again(format_: str) -> None:
    """Three failures lock the account."""
    other = verdict("fail", id="alg.absent", group="alg")
    refused = verdict("fail", id="account.registers", group="account", facts={"registered": False})
    for verdicts, is_refused in (((other,), False), ((other, refused), True), ((refused,), True)):
        made = report(*verdicts, outcome=Readiness.NOT_READY, command="register")
        text = closing_line(made) if format_ == "quiet" else shown(made, format_)
        text = re.sub(r"[\s\xa0]+|&#160;", " ", text)
        assert ("do not try the account again" in text) == is_refused
        assert not (is_refused and re.search(r"After the fix|run (this|the check) again", text))


def shown(made: Report, format_: str) -> str:
    if format_ != "terminal":
        document = FORMATS[format_](made)
        assert isinstance(document, str)
        return document
    file = io.StringIO()
    print_summary(Console(file=file, width=200, color_system=None), made)
    return file.getvalue()


def hints(outcome: str, facts: dict[str, object] | None = None) -> int:
    file = io.StringIO()
    console = Console(file=file, color_system=None)
    print_summary(console, report(verdict(outcome, facts=facts or {})), everything=True)
    return file.getvalue().count("-> Do this.")


def test_nan_is_null() -> None:
    written = to_json(report(measurements=[measurement({"x": float("nan"), "evidence": {}})]))
    assert json.loads(written)["measurements"][0]["facts"]["x"] is None


def test_an_output_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    output = Output(str(path))
    assert not path.exists()
    output.write("new")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_a_discarded_output_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("old")
    Output(str(path)).discard()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


@pytest.mark.waits
def test_what_a_killed_run_left_behind_goes_with_the_next(tmp_path: Path) -> None:
    begin = "import sys, time; from gosip_check.report.output import Output; "
    begin += "kept = [Output(name) for name in sys.argv[1:]]; print('begun', flush=True); time.sleep(60)"
    names = [str(tmp_path / f"r.{end}") for end in ("json", "html", "pdf")]
    with subprocess.Popen([sys.executable, "-c", begin, *names], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "begun\n"
        Output(names[0]).write("new")
        assert len([p for p in tmp_path.iterdir() if p.name.startswith(".")]) == 3  # it is still at work
        other.kill()
    (tmp_path / ".r.json.swp").touch()
    Output(names[0]).write("newer")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".r.json.swp", "r.json"]


def test_a_long_name_is_written_beside_a_pipe_that_somebody_put_there(tmp_path: Path) -> None:
    """In a folder of everybody's, such as /tmp, where to open the pipe would wait for ever."""
    os.mkfifo(tmp_path / ".r.json.gosip-check")
    path = tmp_path / ("\U0001f4de" * 60 + ".json")
    Output(str(path)).write("new")
    assert path.read_text() == "new"


def test_modes_links_and_pipes(tmp_path: Path) -> None:
    path, link = tmp_path / "r.json", tmp_path / "link.json"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    Output(str(link)).write("new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    fresh = tmp_path / "fresh.json"
    mask = os.umask(0o027)
    try:
        Output(str(fresh)).write("x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o640
    Output(os.devnull).write("x")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_what_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"is a folder; name a file\.$"):
        Output(str(tmp_path))
    with pytest.raises(OutputError, match="cannot be written: No such file or directory"):
        Output(str(tmp_path / "no" / "r.json"))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written: Not a directory"):
        Output(str(tmp_path / "file" / "r.json"))


def test_a_full_disk_is_a_sentence_and_loses_no_older_file() -> None:
    with pytest.raises(OutputError, match=r"/dev/full: cannot be written: No space left on device\.$"):
        Output("/dev/full").write("x" * 10)


def test_many_channels_take_a_line_each_and_not_a_screenful() -> None:
    channels = [{"sent": 100, "rtt_ms": {"p50": 1.5, "p99": None}} for _ in range(30)]
    lines = list(_facts({"per_channel": channels, "few": [{"a": 1}, "no record"], "between": {}}))
    assert lines[0] == "  per_channel 1: sent 100, rtt_ms (p50 1.5)"
    assert lines[20] == "  per_channel: 10 more, see --json"
    assert lines[21:] == ["  few 1:", "    a: 1", "  few 2: no record", "  between: none"]
