"""A report says and never decides. One file per format; this table names those that are written to files."""

from collections.abc import Callable

from gosip_check.records import Report
from gosip_check.report.to_html import to_html
from gosip_check.report.to_json import to_json
from gosip_check.report.to_svg import to_svg

FORMATS: dict[str, Callable[[Report], str]] = {
    "json": to_json,
    "svg": to_svg,
    "html": to_html,
}
