"""The last screen as a picture: what README shows, and what fits into a mail."""

import io
import re

from rich.console import Console

from gosip_check.records import Report
from gosip_check.report.text import visible
from gosip_check.report.to_terminal import print_summary

_WIDTH = 80


def to_svg(report: Report) -> str:
    """A self-contained SVG: rich's own would fetch a font from somebody's server when it is opened."""
    console = Console(
        file=io.StringIO(), record=True, width=_WIDTH, force_terminal=True, markup=False, emoji=False, highlight=False
    )
    print_summary(console, report)
    console.print()  # else the frame cuts the last line
    picture = console.export_svg(title=f"gosip-check {visible(report.command)}", unique_id="gosip-check")
    return re.sub(r"@font-face \{[^}]*\}\s*", "", picture)
