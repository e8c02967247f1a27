"""The page: hostile text stays text, nothing is fetched, and Chromium shows it without a complaint on a phone."""

import json
import re
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.records import ALL_LINKS, Equipment, Form, Readiness, Report, Signature
from gosip_check.report.charts import Curve, Limit, histogram, line_chart, strip, way
from gosip_check.report.pictures import pictures
from gosip_check.report.reading import who_of
from gosip_check.report.summary import summary_of
from gosip_check.report.to_html import to_html
from gosip_check.report.to_json import to_json
from tests.saved import demo
from tests.screens import kept
from tests.unit.records import expectation, measurement, report, verdict
from tests.unit.report.test_report import HOSTILE, OBEYED

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium to show the page")


def full(text: str = "words") -> Report:
    """A report with every picture that there is, and `text` wherever text from outside may stand."""
    facts: dict[str, Any] = {
        "series": [{"name": f"rtt {text}", "unit": "ms", "points": [[n / 10, 20 + n % 7] for n in range(200)],
                    "measured": 200},
                   {"name": "round trip", "unit": "ms", "points": [[0, 90], [1, 120], [2, 8], [3, 7]], "measured": 4}],
        "rtt_histogram": {"low": 20, "high": 27, "max": 90, "counts": [120, 78], "beyond": 2},
        "per_channel": [{"received": 1000 - 3 * n, "lost_up": 3 * n, "lost_down": 0} for n in range(10)],
        "hops": [{"ttl": 1, "address": "192.168.1.1", "kind": "private"}, {"ttl": 2, "address": text}],
        "destination": "217.22.184.27", "edge_ttl": 1, "reached_at": None,
        "alg_found": True, "culprit": "192.168.1.1", "message": text,
        "changes": [{"where": "Via", "before": f"Via: {text}", "after": None}],
        "evidence": {},
    }  # fmt: skip
    limit = expectation("rtt_ms.p95", "max", 300)
    verdicts = (
        verdict("fail", reason=text, title=text, hint=text, source=text, expected=[limit]),
        verdict("skipped", id="group.other", reason=text),
        verdict("pass", id="other.x", group="other", reason=text),
    )
    form = Form(company_name=text, pbx=Equipment(vendor=text), discovered=["pbx.vendor"])
    found = report(*verdicts, form=form, outcome=Readiness.NOT_READY, measurements=[measurement(facts)])
    links = [msgspec.structs.replace(found.links[0], name="Internet-1", trouble=text, public_address=text)]
    return msgspec.structs.replace(found, links=links)


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_stays_text_on_the_page(text: str) -> None:
    plain, page = Page(to_html(full())), Page(to_html(full(text)))
    assert page.tags == plain.tags
    assert {name for name, _ in page.attributes} == {name for name, _ in plain.attributes}
    assert "script" not in page.tags
    assert not OBEYED & set(to_html(full(text))) - {"\n"}
    if text.isprintable() and len(text) < 40:
        assert text in page.text


def test_the_page_asks_for_nothing() -> None:
    page = to_html(full())
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) == {"http://www.w3.org/2000/svg"}
    links = [value for name, value in Page(page).attributes if name in ("src", "href", "action", "data")]
    assert links == ["data:,"]
    assert "url(" not in page
    assert "@import" not in page


def test_everything_that_was_asked_for_is_on_the_page() -> None:
    text = Page(to_html(full(), everything=True)).text
    for words in (
        "NOT READY: 2 problems to fix", "Fix this", "Customer Compliance Form", "(discovered, not confirmed)",
        "Not filled in: Contact person",
        "What was not measured, and why", "What was measured, and how", "rtt words, round trip over time",
        "Distribution of",
        "198 round trips, and 2 longer ones, up to 90 ms", "95 % of the round trips: at most 300 ms",
        "Loss of each channel", "The way to the provider", "rewrites SIP", "What was changed on the way", "300 ms",
    ):  # fmt: skip
        assert words in text


def test_charts_hold_what_they_were_given() -> None:
    svg = str(line_chart("t", "ms", [Curve("a", [(0, 10), (10, 20)])], [Limit(15, "fifteen")]))
    assert 'points="56.0,' in svg
    assert svg.count("stroke-dasharray") == 1
    assert "fifteen" in svg
    assert str(histogram("t", "ms", 1, 2, [1] * 40, "")).count("<rect") == 40
    assert "1 of 3 channels lost packets; the worst lost 2 %" in str(strip("t", [0, 2, 0]))
    assert "<circle" not in str(way("t", []))
    odd = measurement({"series": [{"name": 1}], "hops": "x", "per_channel": [5]})
    assert pictures(report(measurements=[odd])) == []


def shown(page: Path, script: str, width: int, *, dark: bool = False) -> tuple[str, str]:
    """(what the page says after `script` has run in it, what Chromium complained of)."""
    assert CHROMIUM is not None
    page.write_text(page.read_text().replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'"))
    page.write_text(page.read_text().replace("</body>", f"<script>{script}</script></body>"))
    # Chromium's own window is never narrower than 500: the page is looked at in a frame as wide as a phone.
    frame = page.with_suffix(".frame.html")
    frame.write_text(f'<body style="margin:0"><iframe src="{page.name}" width={width} height=800 style="border:0">')
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--host-resolver-rules=MAP * ~NOTFOUND",  # its own look-ups: it asks for Google's servers all the same
                f"--blink-settings=preferredColorScheme={0 if dark else 1}",
                "--allow-file-access-from-files", "--enable-logging=stderr", "--v=0", f"--user-data-dir={profile}",
                "--window-size=1000,900", "--dump-dom", frame.as_uri(),
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, "\n".join(console)


@pytest.mark.waits
@needs_chromium
@pytest.mark.parametrize("text", ["words", HOSTILE["long"], HOSTILE["right to left"]], ids=["plain", "long", "rtl"])
def test_a_phone_shows_it_without_complaint(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(to_html(full(text)))
    script = """
      const wide = document.documentElement.scrollWidth, room = window.innerWidth;
      const hidden = [...document.querySelectorAll('body *')].filter(e => e.tagName != 'SCRIPT' &&
        (getComputedStyle(e).userSelect == 'none' || getComputedStyle(e).display == 'none'));
      getSelection().selectAllChildren(document.body);
      const chosen = getSelection().toString().includes('Which report this is');
      parent.document.body.dataset.seen = JSON.stringify([wide, room, hidden.length, chosen]);
    """
    dom, console = shown(page, script, 360)
    found = re.search(r'data-seen="(\[[^"]*\])"', dom)
    assert found is not None, dom[-500:]
    wide, room, hidden, chosen = json.loads(found[1])
    assert room == 360
    assert wide <= room
    assert hidden == 0
    assert chosen
    assert console == ""


@pytest.mark.waits
def test_the_pdf_holds_every_word_and_obeys_none() -> None:
    pytest.importorskip("typst", reason="PDF needs the extra `pdf`")
    from gosip_check.report.to_pdf import to_pdf

    for text in ('#panic("x") [inj] $1$ *bold* <script>', HOSTILE["long"], HOSTILE["right to left"]):
        document = to_pdf(full(text))
        assert document.startswith(b"%PDF-")
    reader = shutil.which("pdftotext")
    if reader is not None:
        document = to_pdf(full('#panic("x")'), everything=True)
        text = subprocess.run(
            [reader, "-", "-"], input=document, capture_output=True, check=True, timeout=60
        ).stdout.decode()
        assert '#panic("x")' in text
        assert "NOT READY" in text
        assert "What was measured, and how" in text


@pytest.mark.waits
def test_the_pdf_sets_two_lines_side_by_side() -> None:
    pytest.importorskip("typst", reason="PDF needs the extra `pdf`")
    from gosip_check.report.to_pdf import to_pdf

    one = report().links[0]
    two = report(
        verdict("pass", id="dns.ttl", link="Internet-1"),
        verdict("fail", id="dns.ttl", link="Internet-2"),
        verdict("warn", id="redundancy.providers", link=ALL_LINKS, reason="Both lines are of one provider."),
        links=[one, msgspec.structs.replace(one, name="Internet-2")],
    )
    document = to_pdf(two)
    assert document.startswith(b"%PDF-")
    reader = shutil.which("pdftotext")
    if reader is not None:
        done = subprocess.run([reader, "-layout", "-", "-"], input=document, capture_output=True, check=True)
        words = done.stdout.decode().replace("\u200b", "")  # where a long word may break
        assert re.search(r"dns\.ttl +pass +fail", words)
        assert "Both lines are of one provider." in words


def test_a_curve_has_four_points_or_more() -> None:
    loaded = msgspec.convert(demo(), Report)
    assert "Round trip of one request after the other, signalling" not in Page(to_html(loaded)).text
    (asked,) = [m for m in loaded.measurements if m.probe == "signalling"]
    servers = [{**server, "rtts_ms": [1.0, 2.0, 3.0, 4.0]} for server in (asked.facts or {})["servers"]]
    longer = msgspec.structs.replace(asked, facts={**(asked.facts or {}), "servers": servers})
    assert "request 4" in Page(to_html(msgspec.structs.replace(loaded, measurements=[longer]))).text


def test_media_over_time_is_in_the_document_and_on_the_page() -> None:
    loaded = kept("lossy")
    document = json.loads(to_json(loaded))
    (media,) = [m for m in document["measurements"] if m["probe"] == "media"]
    series = {one["name"]: one for one in media["facts"]["series"]}
    assert set(series) == {"round trip", "loss up", "loss down"}
    assert series["round trip"]["measured"] == media["facts"]["received"]
    values = [value for _, value in series["round trip"]["points"]]
    assert max(values) == pytest.approx(media["facts"]["rtt_ms"]["max"], abs=0.001)
    assert min(values) == pytest.approx(media["facts"]["rtt_ms"]["min"], abs=0.001)
    page = to_html(loaded)
    for words in (
        "round trip over time, media", "loss up, loss down over time, media", "Loss of each channel, media",
        "Distribution of the round trips, media",
    ):  # fmt: skip
        assert words in page


def test_a_picture_shows_the_limits_of_what_it_shows_and_no_others() -> None:
    """Jitter is in milliseconds and a burst in percent: both have their limits elsewhere."""
    loaded = kept("lossy")
    drawn = {str(p.svg).split("<title>")[1].split("</title>")[0]: str(p.svg) for p in pictures(loaded)}
    trips, losses = drawn["round trip over time, media"], drawn["loss up, loss down over time, media"]
    assert re.findall(r">([^<]*(?:at most|better)[^<]*)<", trips) == [
        "far above this picture: 95 % of the round trips: at most 300 ms",
        "far above this picture: 95 % of the round trips: better 100 ms",
    ]
    assert re.findall(r">([^<]*(?:at most|better)[^<]*)<", losses) == [
        "in any 15 s: at most 1 %", "in any 15 s: better 0.1 %",
    ]  # fmt: skip


@given(
    values=st.lists(st.floats(0, 400), max_size=5),
    limits=st.lists(st.sampled_from([0.1, 1, 9.99, 15, 30, 100, 101, 300]), max_size=4, unique=True),
)
def test_no_label_of_a_limit_stands_on_another_nor_on_the_title(values: list[float], limits: list[float]) -> None:
    lines = [Curve("a", list(enumerate(values)))]
    svg = str(line_chart("t", "ms", lines, [Limit(value, f"limit {value:g}") for value in limits]))
    places = sorted(float(down) for down in re.findall(r'y="([0-9.]+)"[^>]*>[^<]*limit', svg))
    assert len(places) == len(limits)
    assert all(after - before >= 11 for before, after in pairwise(places))
    assert all(down >= 24 for down in places)


def wanting_report() -> Report:
    """Passes first, as a checklist may have them, and a signature."""
    verdicts = (
        verdict("pass", id="alg.absent", group="alg", title="No ALG"),
        verdict("warn", id="dns.ttl", group="dns", title="Short lived", hint="Lower it."),
        verdict("unknown", id="dns.should", group="dns", level="should", title="Not needed"),
        verdict("unknown", id="dns.must", group="dns", title="Not told"),
        verdict("fail", id="firewall.rtp", group="firewall", title="Closed", hint="Open it."),
    )
    options = {"requests": 3, "networks": ["192.0.2.0/24"]}
    asked = msgspec.structs.replace(measurement({"fine": True}), options=options)
    signature = Signature(algorithm="ed25519", key="0123456789abcdef", value="00")
    return report(*verdicts, outcome=Readiness.NOT_READY, measurements=[asked], signature=signature)


IN_ORDER = [
    "NOT READY", "Fix this", "Closed", "Open it.", "Not measured, needed", "Not told", "Look at", "Short lived",
    "Lower it.",
    "Customer Compliance Form", "Checked by", "For the customer", "What was checked", "No ALG", "Not needed",
    "Which report this is", "Signed", "ed25519, key 0123456789abcdef",
    "SIP ALG", "No ALG", "DNS", "Not needed", "Firewall", "Closed", "What was not measured, and why",
    "Appendix. What was measured, and how", "asked with requests 3, networks 192.0.2.0/24", "fine",
]  # fmt: skip


def in_order(text: str) -> None:
    at = 0
    for words in IN_ORDER:
        assert words in text[at:], words
        at = text.index(words, at) + len(words)


def test_the_page_begins_with_what_is_wanting_and_ends_with_the_facts() -> None:
    in_order(Page(to_html(wanting_report(), everything=True)).text)
    nothing = Page(to_html(report(verdict("pass")))).text
    assert "Look at" not in nothing
    assert "Fix this" not in nothing


@pytest.mark.waits
def test_so_does_the_pdf() -> None:
    pytest.importorskip("typst", reason="PDF needs the extra `pdf`")
    from gosip_check.report.to_pdf import to_pdf

    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("needs pdftotext to read it")
    done = subprocess.run(
        [reader, "-", "-"], input=to_pdf(wanting_report(), everything=True), capture_output=True, check=True, timeout=60
    )
    in_order(" ".join(done.stdout.decode().replace("\u200b", "").split()))


STATES = ("ready", "sip-alg", "unknown-line", "two-lines", "narrow-alone", "cable-out")


@pytest.mark.parametrize("state", STATES)
def test_each_open_point_stands_once_and_customer_and_outcome_in_the_title(state: str) -> None:
    summary = summary_of(kept(state))
    page = Page(to_html(kept(state)))
    points = [point.title for point in (*summary.problems, *summary.look_at)]
    assert [title for title in set(points) if page.text.count(title) != points.count(title)] == []
    title = re.search(r"<title>(.*?)</title>", to_html(kept(state)))
    assert title is not None
    assert title[1].startswith(f"{summary.word}: {summary.about[0]}")
    assert summary.word in page.text[:300]
    assert "Appendix" not in page.text


@pytest.mark.waits
@pytest.mark.parametrize("state", STATES)
def test_the_pdf_is_short_and_its_first_lines_name_what_to_do_and_who(state: str) -> None:
    pytest.importorskip("typst", reason="PDF needs the extra `pdf`")
    if shutil.which("pdftotext") is None:
        pytest.skip("needs poppler-utils to read it")
    from gosip_check.report.to_pdf import to_pdf

    document, summary = to_pdf(kept(state)), summary_of(kept(state))
    about = subprocess.run(["pdfinfo", "-"], input=document, capture_output=True, check=True).stdout.decode()
    pages = re.search(r"Pages: +(\d+)", about)
    assert pages is not None
    assert int(pages[1]) <= (5 if len(kept(state).links) > 1 else 3)
    read = subprocess.run(["pdftotext", "-layout", "-", "-"], input=document, capture_output=True, check=True)
    first = " ".join(" ".join(read.stdout.decode().splitlines()[:15]).split())
    assert summary.about[0] in first
    assert summary.word in first
    for problem in summary.problems[:1]:
        assert problem.title in first
        assert problem.do[0].split("`")[0].rstrip(" .") in first
        assert f"Who: {who_of(problem.id)}" in first
