"""A report as one self-contained page: readable on a phone, printed on A4, without script and without any request.

Decides nothing. The template escapes everything, and everything passes through `visible` first.
"""

import functools
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape
from msgspec.structs import replace

from gosip_check.form_fields import names_of
from gosip_check.records import ALL_LINKS, Equipment, Form, InternetLine, Outcome, Report, SecondTrunk, Verdict
from gosip_check.report.pictures import pictures, rewritings
from gosip_check.report.reading import LEVELS, counted, groups, needs_hint, who_of
from gosip_check.report.side_by_side import rows
from gosip_check.report.summary import Summary, summary_of, title_of
from gosip_check.report.text import visible
from gosip_check.values import shown

_MOST_FACTS, _MOST_ITEMS = 400, 100
_FINGERPRINT = 16
_MISSED = (Outcome.FAIL, Outcome.WARN)
_DIGITS = 6


@functools.cache
def _page() -> Template:
    """Kept, because compiling it takes longer than filling it in."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=lambda value: visible(value) if type(value) is str else value,
    )  # fmt: skip
    return environment.get_template("page.html")


def to_html(report: Report, *, everything: bool = False) -> str:
    """The page. everything: also every verdict's reason, and the raw facts."""
    summary = summary_of(report)
    customer, product, addresses = whose(report)
    return _page().render(
        report=report,
        everything=everything,
        summary=summary,
        customer=customer,
        product=product,
        whose=[*filter(None, [customer]), product, *addresses],
        checked=checked(report, summary),
        code=code(report),
        content=fingerprint(report),
        title_of=title_of,
        levels=LEVELS,
        who_of=who_of,
        counts=counted(report.counts),
        not_filled_in=names_of(report.form.not_filled_in) if report.form else "",
        form=form_rows(report.form) if report.form else [],
        groups={name: groups(report, name) for name in [*(link.name for link in report.links), ALL_LINKS]},
        together=ALL_LINKS,
        side_by_side=rows(report),
        pictures=pictures(report),
        rewritings=rewritings(report),
        not_measured=[v for v in report.verdicts if v.outcome in (Outcome.UNKNOWN, Outcome.SKIPPED)],
        facts=lambda facts: list(fact_lines(facts))[:_MOST_FACTS],
        needs_hint=needs_hint,
        in_code=in_code,
        when=lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S UTC"),
    )


def whose(report: Report) -> tuple[str, str, list[str]]:
    """Customer, product, and the public addresses of the lines, as far as they are known."""
    customer = report.form.company_name.strip() if report.form else ""
    addresses = [link.public_address for link in report.links if link.public_address]
    return customer, report.checklist.title, list(dict.fromkeys(addresses))


def checked(report: Report, summary: Summary) -> list[Verdict]:
    """What does not stand above already, as a problem, as its effect, or as open."""
    problems = [*summary.problems, *summary.look_at]
    above = {problem.title for problem in problems} | {title for problem in problems for title in problem.effects}
    above |= {title for gap in summary.gaps for title in gap.titles}
    return [v for v in report.verdicts if v.outcome not in _MISSED and title_of(v) not in above]


def fingerprint(report: Report) -> str:
    """The beginning of the SHA-256 of what the report holds, signature aside, by which paper and file are matched."""
    return hashlib.sha256(msgspec.json.encode(replace(report, signature=None))).hexdigest()[:_FINGERPRINT]


def code(report: Report) -> Markup:
    """A QR code of the report's id and fingerprint."""
    drawn = segno.make(f"gosip-check {report.id} {fingerprint(report)}", micro=False)
    return Markup(drawn.svg_inline(scale=1, border=2, omitsize=True))


def in_code(text: str) -> Markup:
    """A sentence whose code in backticks can be copied."""
    parts = visible(text).split("`")
    is_even = len(parts) % 2 == 1  # a backtick without its other half is one
    joined = [
        Markup("<code>{}</code>").format(part) if number % 2 and is_even else escape(part)
        for number, part in enumerate(parts)
    ]
    return Markup("" if is_even else "`").join(joined)


def form_rows(form: Form) -> list[tuple[str, str, bool]]:
    """(name, value, found by the tool and confirmed by nobody) of every field that the provider reads."""
    rows = [("Company", form.company_name, "company_name"), ("Contact", form.contact, "contact")]
    rows += [("Number", form.contact_number, "contact_number"), ("Comments", form.comments, "comments")]
    for name in ("pbx", "router", "firewall", "internet_1", "internet_2", "second_trunk"):
        part: Equipment | InternetLine | SecondTrunk = getattr(form, name)
        label = {"pbx": "PBX", "second_trunk": "Second trunk"}.get(name, name.replace("_", "-").capitalize())
        for field in part.__struct_fields__:
            rows.append((f"{label} {field.replace('_', ' ')}", getattr(part, field), f"{name}.{field}"))
    return [(label, value, field in form.discovered) for label, value, field in rows if value.strip()]


def fact_lines(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(dotted name, value) of every fact but the evidence, which the verdicts tell, and what is drawn."""
    for name, value in facts.items():
        if name in ("evidence", "series", "rtt_histogram"):
            continue
        if isinstance(value, Mapping) and value:
            yield from fact_lines(value, f"{prefix}{name}.")
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            for number, item in enumerate(value, 1):
                if isinstance(item, Mapping):
                    yield from fact_lines(item, f"{prefix}{name}.{number}.")
                else:
                    yield f"{prefix}{name}.{number}", shown(item, _DIGITS)
        else:
            yield f"{prefix}{name}", shown(value[:_MOST_ITEMS] if isinstance(value, list) else value, _DIGITS)
