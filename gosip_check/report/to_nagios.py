"""One line for Nagios and Icinga: state, what it is about, performance data. By the plugin guidelines' own rules.

Exit codes are the plugin's: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. The line holds no character that Nagios reads as
its own: the bar belongs to the performance data.
"""

from gosip_check.records import Expectation, Operator, Readiness, Report
from gosip_check.report.changes import FIGURES
from gosip_check.report.figures import is_number
from gosip_check.report.summary import Problem, Summary, summary_of
from gosip_check.report.text import visible
from gosip_check.values import unit_of

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
NAMES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_UNITS = {"ms": "ms", "s": "s", "%": "%", "MiB": "MB"}
_LONGEST = 1000


def state(report: Report) -> int:
    """Not ready is critical, inconclusive is unknown; ready with something to fix is a warning.

    A machine that is busy for a second is none.
    """
    if report.outcome is Readiness.NOT_READY:
        return CRITICAL
    if report.outcome is Readiness.INCONCLUSIVE:
        return UNKNOWN
    return WARNING if _warnings(summary_of(report)) else OK


def to_nagios(report: Report, note: str = "") -> str:
    """The line, with its line break: the worst cause first, whole. note: what follows, such as a change."""
    summary = summary_of(report)
    gaps = [f"{gap.links}: " * bool(gap.links) + ", ".join(gap.titles) for gap in summary.gaps]
    reasons = {
        OK: [summary.closing],
        WARNING: [_named(warning) for warning in _warnings(summary)],
        CRITICAL: [_named(problem) for problem in summary.problems],
        UNKNOWN: [*(problem.title for problem in summary.problems), *(f"{gap} not measured" for gap in gaps)],
    }[state(report)]
    demo = "A demo, no site." if report.is_demo else ""
    text = " ".join(filter(None, [demo, f"{'; '.join(reasons) or summary.closing}.", note]))
    return f"{NAMES[state(report)]} - {_plain(text)} | {' '.join(_data(report))}\n"


def _warnings(summary: Summary) -> list[Problem]:
    return [warning for warning in summary.look_at if warning.id not in FIGURES]


def _named(problem: Problem) -> str:
    return f"{problem.links}: " * bool(problem.links) + f"{problem.title} ({problem.id})"


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
