"""Files of 1 MiB that a stranger hands in, each made to stall or to bloat whoever reads it.

    python -m tests.bench.bench_hostile_files [WORD ...]

Wanted: every command reads or refuses each within 2 s of processor time, 200 MiB and 16 MiB of output, with an exit
code that --help names and no traceback. A WORD picks the files whose name holds it.
"""

import copy
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.saved import DATA, TOOL, demo
from tests.unit.trace.calls import timed
from tests.unit.trace.test_reading import ethernet, ipv4

OCTETS = 1 << 20
MOST_CPU_S, MOST_MIB, MOST_PRINTED = 2.0, 200, 16 << 20

Document = dict[str, Any]
MANY = {f"n{number}_ms": 1 for number in range(60_000)}

OF_A_REPORT = (
    ("report", "check", "FILE"),
    ("report", "show", "FILE"),
    ("report", "show", "FILE", "--details"),
    ("report", "html", "FILE", "-"),
    ("report", "svg", "FILE", "-"),
    ("report", "compare", "FILE", "FILE", "--all"),
    ("report", "judge", "FILE", "--checklist", "go-native"),
    ("report", "pdf", "FILE", "-"),
    ("report", "text", "FILE", "--for", "technician"),
    ("report", "table", "FILE", "--verdicts"),
    ("report", "bundle", "FILE", "FILE", "-"),
    ("report", "form", "FILE", "/dev/null"),
    ("recommend", "--phones", "5", "--report", "FILE"),
    ("form", "fill", "/dev/null", "--no-questions", "--report", "FILE"),
    ("run", "--again", "FILE", "--skip", "nothing"),
)
OF_A_FORM = (
    ("form", "check", "FILE"),
    ("form", "show", "FILE"),
    ("run", "--form", "FILE", "--skip", "nothing"),
    ("report", "form", "REPORT", "FILE"),
)
OF_DEFAULTS = (("config", "check"), ("config", "show"))
OF_A_TRACE = (("pbx", "trace", "FILE", "--all"), ("pbx", "trace", "FILE", "--json", "-"))
OF_A_CHECKLIST = (("checklist", "check", "FILE"), ("checklist", "show", "FILE"))


def reports() -> Iterator[tuple[str, bytes]]:
    """Name and content."""
    plain = demo()

    def changed(change: Callable[[Document], None]) -> bytes:
        document = copy.deepcopy(plain)
        change(document)
        return json.dumps(document).encode()

    def set_all(name: str, value: Any) -> Callable[[Document], None]:
        return lambda document: document.update({name: value})

    def link(name: str) -> Document:
        return {**plain["links"][0], "name": name}

    def measurements(probe: str, document: Document) -> None:
        pattern = next(m for m in document["measurements"] if m["probe"] == probe)
        small = {**pattern, "facts": None, "failure": {"kind": "timeout", "message": "x"}}
        count = OCTETS // len(json.dumps(small))
        document["measurements"] += [{**small, "id": f"x{number}"} for number in range(count)]

    def facts(document: Document, value: Any) -> None:
        for measurement in document["measurements"]:
            if measurement["probe"] == "media" and measurement["facts"]:
                for name, known in measurement["facts"].items():
                    if isinstance(known, list | dict):
                        measurement["facts"][name] = value

    yield "skip: brackets", changed(set_all("skip", ["[" * (OCTETS - 60_000)]))
    yield "skip: stars", changed(set_all("skip", ["*a" * (OCTETS // 2 - 30_000)]))
    yield "skip: many", changed(set_all("skip", [f"{n}*" for n in range(OCTETS // 12)]))
    yield "links", changed(set_all("links", [link(str(number)) for number in range(OCTETS // 160)]))
    yield "link with a long name", changed(set_all("links", [link("x" * OCTETS)]))
    for probe in ("media", "srv", "interface"):
        yield f"measurements of {probe}", changed(partial(measurements, probe))
    yield "verdicts", changed(lambda d: d.update(verdicts=d["verdicts"] * (OCTETS // len(json.dumps(d["verdicts"])))))
    yield "a long reason", changed(lambda d: d["verdicts"][0].update(reason="word " * (OCTETS // 5)))
    yield "a reason of one word", changed(lambda d: d["verdicts"][0].update(reason="x" * OCTETS))
    yield "a reason of lines", changed(lambda d: d["verdicts"][0].update(reason="\n" * OCTETS))
    yield "a reason of wide letters", changed(lambda d: d["verdicts"][0].update(reason="\u3164\u202e" * (OCTETS // 12)))
    yield "a hint of addresses", changed(lambda d: d["verdicts"][0].update(hint="http://a:b@c " * (OCTETS // 13)))
    yield "facts: numbers", changed(lambda d: facts(d, [1.5] * (OCTETS // 20)))
    yield "facts: nested", changed(lambda d: facts(d, json.loads("[" * 400 + "]" * 400)))
    yield (
        "facts: names",
        changed(lambda d: d["measurements"][0]["facts"].update(MANY)),
    )
    yield "verdict facts", changed(lambda d: d["verdicts"][0]["facts"].update(MANY))
    yield (
        "expectations",
        changed(lambda d: d["verdicts"][0].update(expected=d["verdicts"][0]["expected"] * (OCTETS // 60))),
    )
    yield "a long id", changed(set_all("id", "0" * OCTETS))
    yield "a long version", changed(set_all("tool_version", "1" * OCTETS))
    yield "a long command", changed(set_all("command", "run " * (OCTETS // 4)))
    yield "a long number", b'{"elapsed_s": ' + b"1" * OCTETS + b"}"
    yield "a long fraction", b'{"elapsed_s": 0.' + b"1" * OCTETS + b"}"
    yield "nested lists", b"[" * OCTETS
    yield "nested objects", b'{"a":' * (OCTETS // 5)
    yield "names", b"{" + b",".join(b'"%d":0' % number for number in range(OCTETS // 12)) + b"}"
    yield "one name many times", b"{" + b",".join([b'"a":0'] * (OCTETS // 6)) + b"}"
    yield "escapes", b'{"a": "' + b"\\u0000" * (OCTETS // 6) + b'"}'
    yield "noise", bytes(range(256)) * (OCTETS // 256)


def tomls() -> Iterator[tuple[str, bytes]]:
    """Name and content, for whatever reads TOML."""
    size = OCTETS - 200
    yield "dotted key", b"a." * (size // 2) + b"a = 1"
    yield "dotted keys", (b"a." * 1_000 + b"a = 1\n") * (size // 2_008)
    yield "dotted keys, spaced", (b"a . " * 500 + b"a = 1\n") * (size // 2_008)
    yield "dotted keys in quotes", (b'"a".' * 500 + b"a = 1\n") * (size // 2_008)
    yield "dotted keys in apostrophes", (b"'a'." * 500 + b"a = 1\n") * (size // 2_008)
    yield "dotted table", b"[" + b"a." * (size // 2) + b"a]"
    yield "dotted tables", b"".join(b"[" + b"a." * 500 + b"a%d]\n" % n for n in range(size // 1_010))
    yield "dotted key inside", b"a = {" + b"a." * (size // 2) + b"a = 1}"
    yield "dots below the bound", b"".join(b"a.b.c.d.e.f.g.h%d = 1\n" % n for n in range(size // 25))
    yield "nested tables", b"a = " + b"{a=" * (size // 3)
    yield "nested lists", b"a = " + b"[" * size
    yield "a long string", b'company_name = "' + b"x" * size + b'"'
    yield "a long name", b"x" * size + b" = 1"
    yield "a string of escapes", b'company_name = "' + b"\\n" * (size // 2) + b'"'
    yield "a string of lines", b'company_name = """' + b"\n" * size + b'"""'
    yield "open strings", b'"' * size
    yield "open apostrophes", b"'a" * (size // 2)
    yield "one word", b"a" * size
    yield "names", b"".join(b"n%d = 1\n" % number for number in range(size // 12))
    yield "arrays of tables", b"[[requirement]]\n" * (size // 16)
    yield "changes", b"[checklist]\n" + b"[[change]]\nid = 'a'\n" * (size // 20)
    yield "an array", b"a = [" + b"1," * (size // 2) + b"]"
    yield "a long number", b"a = " + b"1" * size
    yield "comments", b"#\n" * (size // 2)
    for field in ("contact_number", "internet_1.fixed_address", "ddi_ranges", "pbx.vendor", "internet_1.speed"):
        yield f"form: {field}", field.encode() + b' = "+' + b"1 " * (size // 2) + b'"'


def checklists() -> Iterator[tuple[str, bytes]]:
    """Those that are nearly right."""
    shipped = (Path(__file__).parents[2] / "checklists" / "go-native.toml").read_bytes()
    head, first, rest = shipped.partition(b"[[requirement]]\n")
    one = first + rest.partition(b"[[requirement]]\n")[0]
    assert b'id = "' in one
    many = b"".join(
        one.replace(b'id = "', b'id = "x%d' % number, 1) for number in range((OCTETS - len(shipped)) // len(one))
    )
    yield "many requirements", shipped + many
    yield "many needs", shipped.replace(b"needs = [", b'needs = ["dns.ttl",' * 1 + b'"x",' * (OCTETS // 5), 1)
    yield "a title of braces", head + first + rest.replace(b'title = "', b'title = "' + b"{" * (OCTETS - 60_000), 1)
    yield "a title of fields", head + first + rest.replace(b'title = "', b'title = "' + b"{port}" * 160_000, 1)
    yield "networks", shipped.replace(b"networks = [", b"networks = [" + b'"10.0.0.0/8",' * 70_000, 1)


def traces() -> Iterator[tuple[str, bytes]]:
    """Logs and captures."""
    separator = b"<--- Received SIP request (500 bytes) from UDP:192.0.2.1:5060 --->\n"
    request = (
        b"INVITE sip:b@example.net SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%d\nCall-ID: %d\n"
        b"From: <sip:a@example.net>;tag=1\nTo: <sip:b@example.net>\nCSeq: 1 INVITE\n\n"
    )
    yield "log: many calls", b"".join(separator + request % (n, n) for n in range(OCTETS // 250))
    yield "log: many calls, one id", b"".join(separator + request % (n, 1) for n in range(OCTETS // 250))
    yield "log: one request many times", (separator + request % (1, 1)) * (OCTETS // 250)
    yield "log: separators", separator * (OCTETS // len(separator))
    yield "log: starts on one line", (b"INVITE sip:" * 740 + b" SIP/2.0\n") * (OCTETS // 8_150)
    yield "log: TX on one line", (b"TX 1 bytes " * 740 + b"\n") * (OCTETS // 8_150)
    yield "log: addresses on one line", (b"send 1 bytes to udp/[1:1:1:1:1:" * 260 + b"\n") * (OCTETS // 8_100)
    yield "log: one line", b"SIP/2.0 200 " * (OCTETS // 12)
    yield "log: headers", separator + request % (1, 1) + b"Via: a\n" * (OCTETS // 7)
    yield "log: parameters", separator + (request % (1, 1))[:-1] + b"Via: a" + b";a=b,a" * (OCTETS // 6)
    yield "log: prefixes", b"".join(b"1 " * 3_000 + b"INVITE sip:a SIP/2.0\n" for _ in range(OCTETS // 6_100))
    yield "log: times", b"12:00:00.123 " * (OCTETS // 13)
    capture = timed([])
    yield "capture: records of nothing", capture + bytes(16) * (OCTETS // 16)
    yield "capture: a long packet", capture + b"\0" * 8 + b"\xff\xff\x03\0" * 2 + bytes(OCTETS)

    def udp(content: bytes) -> bytes:
        return ethernet(ipv4(b"\1\2\3\4", b"\5\6\7\b", _UDP + content, 1))

    sip = [udp((request % (n, n)).replace(b"\n", b"\r\n")) for n in range(OCTETS // 300)]
    yield "capture: many calls", timed([(n / 1000, frame) for n, frame in enumerate(sip)])
    rtp = [udp(b"\x80\0" + n.to_bytes(10, "big")) for n in range(OCTETS // 80)]
    yield "capture: streams", timed([(n / 1000, frame) for n, frame in enumerate(rtp)])
    pieces = [ethernet(ipv4(b"\1\2\3\4", n.to_bytes(4, "big"), bytes(16), n & 0xFFFF)) for n in range(OCTETS // 80)]
    begun = [frame[:20] + b"\x20\0" + frame[22:] for frame in pieces]  # more fragments to come
    yield "capture: fragments that do not end", timed([(n / 1000, frame) for n, frame in enumerate(begun)])
    yield "capture: gzip of a gigabyte", gzip.compress(capture + bytes(1 << 30), 9)[:OCTETS]
    yield "capture: gzip of packets", gzip.compress(timed([(0.0, udp(b"\x80\0" + bytes(1200)))] * 200_000), 9)[:OCTETS]
    yield "log: gzip of a gigabyte", gzip.compress(b"INVITE sip:a SIP/2.0\n" * 50_000_000, 9)[:OCTETS]
    yield "section of pcapng", b"\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a" + b"\1\0\0\0" * (OCTETS // 4)
    yield "zeros", bytes(OCTETS)
    yield "noise", bytes(range(256)) * (OCTETS // 256)


_UDP = bytes.fromhex("13c4 13c4 0000 0000")


def main(words: list[str]) -> None:
    """Print a row for each file and command that breaks a bound, and the worst of all."""
    tables = (
        (OF_A_REPORT, reports),
        (OF_A_FORM, tomls),
        (OF_DEFAULTS, tomls),
        (OF_A_CHECKLIST, tomls),
        (OF_A_CHECKLIST, checklists),
        (OF_A_TRACE, traces),
    )
    worst_s, worst_mib, worst_printed, cells, broken = 0.0, 0.0, 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(XDG_STATE_HOME=folder, XDG_CONFIG_HOME=folder)
        (Path(folder) / "gosip-check").mkdir()
        for commands, files in tables:
            for name, content in files():
                if words and not any(word in name for word in words):
                    continue
                path = Path(folder) / ("gosip-check/config.toml" if commands is OF_DEFAULTS else "file")
                path.write_bytes(content)
                named = {"FILE": str(path), "REPORT": str(DATA / "demo-ready.json")}
                for command in commands:
                    cpu_s, mib, printed, code, fault = _cost([named.get(w, w) for w in command])
                    cells += 1
                    worst_s, worst_mib, worst_printed = (
                        max(worst_s, cpu_s),
                        max(worst_mib, mib),
                        max(worst_printed, printed),
                    )
                    if cpu_s > MOST_CPU_S or mib > MOST_MIB or printed > MOST_PRINTED or fault or code not in range(5):
                        broken += 1
                        row = f"{cpu_s:6.1f} s {mib:6.0f} MiB {printed / 1024:9.0f} KiB printed, exit code {code}"
                        print(f"{name:28} {' '.join(command[:2]):16} {row} {fault}", flush=True)
    print(
        f"{broken} of {cells} break a bound; the worst: {worst_s:.1f} s of processor time, {worst_mib:.0f} MiB, "
        f"{worst_printed / 1024:.0f} KiB printed"
    )


def _cost(command: list[str]) -> tuple[float, float, int, int, str]:
    """Processor seconds, MiB at most, octets printed, exit code, and what is wrong with what it said."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*TOOL, *command], stdout=output, stderr=output, stdin=subprocess.DEVNULL, preexec_fn=_bounded
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        printed = output.tell()
        output.seek(0)
        said = output.read(1 << 24)
    cpu_s = usage.ru_utime + usage.ru_stime
    return cpu_s, usage.ru_maxrss / 1024, printed, process.returncode, "traceback" if b"Traceback" in said else ""


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (12, 12))
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_FSIZE, (400 << 20, 400 << 20))


if __name__ == "__main__":
    main(sys.argv[1:])
