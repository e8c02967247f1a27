"""One line for Nagios and Icinga: state, what it is about, performance data. By the plugin guidelines' own rules.

Exit codes are the plugin's: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. The line holds no character that Nagios reads as
its own: the bar belongs to the performance data.
"""

from gosip_check.records import Expectation, Operator, Outcome, Readiness, Report
from gosip_check.report.figures import is_number
from gosip_check.report.text import brief, visible
from gosip_check.values import unit_of

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
NAMES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_UNITS = {"ms": "ms", "s": "s", "%": "%", "MiB": "MB"}
_LONGEST = 500


def state(report: Report) -> int:
    """Not ready is critical, inconclusive is unknown; ready with something to fix is a warning."""
    if report.outcome is Readiness.NOT_READY:
        return CRITICAL
    if report.outcome is Readiness.INCONCLUSIVE:
        return UNKNOWN
    return WARNING if any(verdict.outcome is Outcome.WARN for verdict in report.verdicts) else OK


def to_nagios(report: Report, note: str = "") -> str:
    """The line, with its line break. note: what stands first, such as a change; the line is cut at its end."""
    worst = {
        OK: [],
        WARNING: [Outcome.WARN],
        CRITICAL: [Outcome.FAIL],
        UNKNOWN: [Outcome.UNKNOWN, Outcome.SKIPPED],
    }[state(report)]
    deciding = [verdict for verdict in report.verdicts if verdict.outcome in worst]
    several = len(report.links) > 1
    reasons = [f"{f'{v.link} ' if several else ''}{v.id}: {brief(v.reason)}" for v in deciding]
    demo = "A demo, no site." if report.is_demo else ""
    text = " ".join(filter(None, [demo, note, "; ".join(reasons) or "all is as it must be"]))
    return f"{NAMES[state(report)]} - {_plain(text)} | {' '.join(_data(report))}\n"


def unknown(why: str) -> str:
    """The line for when there is no report."""
    return f"{NAMES[UNKNOWN]} - {_plain(why)}\n"


def _data(report: Report) -> list[str]:
    """'label'=value[unit];[warn];[crit], one for each number that a verdict compares. What is preferred only warns."""
    several = len(report.links) > 1
    data = [f"duration={report.elapsed_s:.3f}s"]
    for verdict in report.verdicts:
        preferred = {expectation.fact: _bound(expectation) for expectation in verdict.preferred}
        for expectation in verdict.expected:
            value = verdict.facts.get(expectation.fact)
            if is_number(value):
                label = f"{f'{verdict.link} ' if several else ''}{verdict.id} {expectation.fact}"
                unit = _UNITS.get(unit_of(expectation.fact), "")
                bound = _bound(expectation)
                warn, crit = ("", bound) if verdict.level == "must" else (bound, "")
                warn = preferred.get(expectation.fact) or warn
                data.append(f"'{_label(label)}'={value:.6g}{unit};{warn};{crit}")
    return data


def _bound(expectation: Expectation) -> str:
    """A range as Nagios writes it: it alerts outside; `10` is 0 to 10, `10:` is 10 or more."""
    if not is_number(expectation.value):
        return ""
    return {Operator.MAX: f"{expectation.value:g}", Operator.MIN: f"{expectation.value:g}:"}.get(
        expectation.operator, ""
    )


def _label(text: str) -> str:
    return _plain(text).replace("'", "").replace("=", "")


def _plain(text: str) -> str:
    return visible(text, _LONGEST).replace("|", "/")
