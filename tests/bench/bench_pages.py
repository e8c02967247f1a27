"""The page and the PDF of kept reports, as Chromium and poppler show them.

    python -m tests.bench.bench_pages [STATE ...]

For each state at 320, 360 and 1200 px, light and dark: what the console says, whether it scrolls sideways, the least
contrast of any text (WCAG 2.1, wanted 4.5), headings that skip a level, tables without a header cell; pages of the PDF.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gosip_check.report.to_html import to_html
from gosip_check.report.to_pdf import to_pdf
from tests.screens import kept
from tests.unit.report.test_page import shown

STATES = ("ready", "sip-alg", "unknown-line", "two-lines", "narrow-alone", "cable-out")
LOOK = """
const channel = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const light = c => {
  const [r, g, b] = c.match(/[0-9.]+/g).map(Number);
  return .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
};
const behind = e => {
  for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (c != 'rgba(0, 0, 0, 0)') return c;
  }
  return 'rgb(255, 255, 255)';
};
const texts = [...document.querySelectorAll('body *:not(script):not(svg):not(svg *)')].filter(
  e => [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim()));
const ratios = texts.map(e => {
  const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
  return (a + .05) / (b + .05);
});
const levels = [...document.querySelectorAll('h1, h2, h3')].map(e => +e.tagName[1]);
const bare = [...document.querySelectorAll('table')].filter(t => !t.querySelector('th'));
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
const skipped = levels.filter((l, n) => n && l > levels[n - 1] + 1);
parent.document.body.dataset.seen = JSON.stringify([wide, Math.min(...ratios), skipped.length, bare.length]);
"""


def main(states: Sequence[str]) -> None:
    """Print the table."""
    print(f"{'state':14} | pages | {'width':5} | theme | console | sideways px | least contrast | headings | tables")
    for state in states:
        document = to_pdf(kept(state))
        about = subprocess.run(["pdfinfo", "-"], input=document, capture_output=True, check=True).stdout.decode()
        pages = re.findall(r"Pages: +(\d+)", about)[0]
        for width in (320, 360, 1200):
            for dark in (False, True):
                with tempfile.TemporaryDirectory() as folder:
                    page = Path(folder) / "page.html"
                    page.write_text(to_html(kept(state)))
                    dom, console = shown(page, LOOK, width, dark=dark)
                seen = re.search(r'data-seen="(\[[^"]*\])"', dom)
                wide, contrast, headings, tables = json.loads(seen[1]) if seen else ("?", 0.0, "?", "?")
                print(
                    f"{state:14} | {pages:>5} | {width:5} | {'dark ' if dark else 'light'} | {console or 'quiet':7} | "
                    f"{wide:11} | {contrast:14.2f} | {headings:8} | {tables}",
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1:] or STATES)
