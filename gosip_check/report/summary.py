"""A Report -> what a person needs of it, once: causes, gaps, warnings, what is well, the next step. Decides nothing.

The terminal, the page, the PDF, the picture and the Nagios line are views of it. What follows from another failure
stands under its cause; the same thing found on several lines is one thing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gosip_check.records import ALL_LINKS, Level, Outcome, Readiness, Report, Verdict
from gosip_check.report.reading import heading, outcome_words, taken_over
from gosip_check.report.sentences import first_sentence, once, sentences
from gosip_check.report.waiting import waiting_for

EXPLAIN = "gosip-check explain"
_UNDECIDED = (Outcome.UNKNOWN, Outcome.SKIPPED)
_MISSED = (Outcome.FAIL, Outcome.WARN)
_ORDER = (Outcome.FAIL, Outcome.WARN, Outcome.UNKNOWN)
_WEAKER = {
    Outcome.FAIL: (Outcome.FAIL, Outcome.WARN, *_UNDECIDED),
    Outcome.WARN: (Outcome.WARN, *_UNDECIDED),
    Outcome.UNKNOWN: _UNDECIDED,
}
"Outcome of a cause -> outcomes of what it may explain."


@dataclass(frozen=True)
class Problem:
    """Something to fix or to look at. do: what helps, a sentence each; effects: what else it explains, by title.

    links: where it was found, of several; empty where that is everywhere.
    """

    id: str
    title: str
    means: str
    do: Sequence[str]
    links: str = ""
    effects: Sequence[str] = ()
    is_advised: bool = True


@dataclass(frozen=True)
class Gap:
    """Required checks that are open for one reason. command: what would decide them. links: as of a Problem."""

    titles: Sequence[str]
    why: str
    command: str
    links: str = ""


@dataclass(frozen=True)
class Group:
    """What is well, of one group. figures: its key figures."""

    heading: str
    passed: int
    figures: Sequence[str]


@dataclass(frozen=True)
class Summary:
    """word: READY and its like. about: customer, product, links. scope: what it covers where that is no whole site.

    closing: what it comes to, without a full stop. gap_count: of all gaps together. taken_over: what is older, if any.
    """

    readiness: Readiness
    word: str
    about: Sequence[str]
    scope: Sequence[str]
    elapsed_s: float
    closing: str
    problems: Sequence[Problem]
    gaps: Sequence[Gap]
    gap_count: int
    look_at: Sequence[Problem]
    groups: Sequence[Group]
    not_needed: Sequence[str]
    next_steps: Sequence[str] = ()
    taken_over: str = ""

    @property
    def sentence(self) -> str:
        """The outcome in one line: what it comes to, and the problems by name."""
        scope = f" ({'; '.join(self.scope)})" if self.scope else ""
        named = f": {'; '.join(problem.title for problem in self.problems)}" if self.problems else ""
        return f"{self.word}{scope}: {self.closing}{named}"


def title_of(verdict: Verdict) -> str:
    """What a verdict is called with its outcome. Old files have the wish only, which is not so where it was missed."""
    if verdict.headline:
        return verdict.headline
    return f"Not so: {verdict.title}" if verdict.outcome in _MISSED else verdict.title


def summary_of(report: Report) -> Summary:
    """The whole of it."""
    effects = _effects(report)
    failed = [v for v in report.verdicts if v.outcome is Outcome.FAIL and id(v) not in effects]
    warned = [v for v in report.verdicts if v.outcome is Outcome.WARN and id(v) not in effects]
    required = [v for v in report.verdicts if v.level is Level.MUST]
    open_ones = [v for v in required if v.outcome in _UNDECIDED]
    problems = [*_without_network(report), *_problems(report, failed)]
    to_tell = [v for v in open_ones if id(v) not in effects and not _waits(v, report)]
    not_needed = [v for v in report.verdicts if v.level is not Level.MUST and v.outcome in _UNDECIDED]
    return Summary(
        readiness=report.outcome,
        word=outcome_words(report),
        about=_about(report),
        scope=_scope(report),
        elapsed_s=report.elapsed_s,
        closing=_closing(report, problems, required, open_ones),
        problems=problems,
        gaps=_gaps(report, to_tell),
        gap_count=len(to_tell),
        look_at=sorted(_problems(report, warned), key=_last_this_machine),
        groups=_groups(report),
        not_needed=once(title_of(v) for v in not_needed if id(v) not in effects),
        next_steps=next_steps(report),
        taken_over=taken_over(report),
    )


def _about(report: Report) -> list[str]:
    """Whose site, which product, which lines."""
    customer = report.form.company_name.strip() if report.form else ""
    return [*filter(None, [customer]), report.checklist.title, *(link.name for link in report.links)]


def _scope(report: Report) -> list[str]:
    part = [f"{report.part} only"] if report.part else []
    return [*part, "a demo, no site"] if report.is_demo else part


def _effects(report: Report) -> dict[int, Verdict]:
    """id() of a verdict -> the one that explains it. Only a failure explains a failure."""
    explained: dict[int, Verdict] = {}
    causes = [v for v in report.verdicts if v.outcome in _WEAKER]
    for cause in sorted(causes, key=lambda v: _ORDER.index(v.outcome)):
        if id(cause) in explained:
            continue
        for verdict in report.verdicts:
            is_named = verdict.id in cause.explains or cause.id in verdict.explained_by
            is_here = verdict.link == cause.link and verdict is not cause
            if is_named and is_here and verdict.outcome in _WEAKER[cause.outcome]:
                explained.setdefault(id(verdict), cause)
    return explained


def _waits(verdict: Verdict, report: Report) -> bool:
    """It was skipped, and not on request: something before it failed, which stands there already."""
    return verdict.outcome is Outcome.SKIPPED and not any(fnmatchcase(verdict.id, name) for name in report.skip)


def _without_network(report: Report) -> list[Problem]:
    """Nothing where only this machine was asked about: that needs no network."""
    if report.verdicts and all(v.group == "host" for v in report.verdicts):
        return []
    return [
        Problem(
            id="",
            title=f"{link.name} has no network towards the provider",
            means="Without it nothing can be measured.",
            do=["Plug in the cable, and see that this machine gets an address.", _last_sentence(link.trouble)],
        )
        for link in report.links
        if link.trouble
    ]


def _problems(report: Report, verdicts: Sequence[Verdict]) -> list[Problem]:
    """One for each requirement and title, in the order of the report, required ones first."""
    same: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        same.setdefault((verdict.id, title_of(verdict)), []).append(verdict)
    effects = _effects(report)
    return [
        Problem(
            id=first.id,
            title=title,
            means=first.means or first_sentence(first.reason),
            do=[sentence for text in first.steps or [first.hint] for sentence in sentences(text)],
            links=_links(report, found),
            effects=once(
                title_of(v)
                for v in report.verdicts
                if v.outcome in _MISSED and any(_shows_more(v, effects.get(id(v)), cause) for cause in found)
            ),
            is_advised=first.level is not Level.INFO,
        )
        for (_, title), found in same.items()
        for first in found[:1]
    ]


def _shows_more(verdict: Verdict, explained_by: Verdict | None, cause: Verdict) -> bool:
    """It follows from this cause, and was measured by itself: the same measurement says the same again."""
    return explained_by is cause and verdict.measurement != cause.measurement


def _last_this_machine(warning: Problem) -> tuple[bool, bool]:
    """What is for information only comes last, and before it what concerns this machine and not the site."""
    return not warning.is_advised, warning.id.startswith("host.")


def _links(report: Report, verdicts: Sequence[Verdict]) -> str:
    names = once(v.link for v in verdicts)
    return "" if len(report.links) < 2 or ALL_LINKS in names or len(names) == len(report.links) else ", ".join(names)


def _gaps(report: Report, verdicts: Sequence[Verdict]) -> list[Gap]:
    """Those that one option would decide together, and those that give the same reason."""
    same: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        option, what = next(iter(verdict.decided_by.items()), ("", ""))
        key = (f"needs {what}", option) if option else (_last_sentence(verdict.reason), "")
        same.setdefault(key, []).append(verdict)
    return [
        Gap(
            titles=once(title_of(verdict) for verdict in found),
            why=why,
            command=_command(report, option),
            links=_links(report, found),
        )
        for (why, option), found in same.items()
    ]


def _last_sentence(text: str) -> str:
    """Of what is unknown the reason ends in what would help."""
    return next(reversed(sentences(text)), "")


AGAIN = "gosip-check run --again"


def _command(report: Report, decides: str) -> str:
    """decides: an option of the run, or a command of its own."""
    if not decides.startswith("--"):
        return decides
    return _again(report) if decides == "--again" else f"{_again(report)} {decides}"


def _again(report: Report) -> str:
    """The command that would look again."""
    if report.is_demo:
        return f"gosip-check demo{' --pbx' * report.part.startswith('pbx')}"
    return f"gosip-check {report.part}" if report.part else AGAIN


def _groups(report: Report) -> list[Group]:
    passed: dict[str, list[Verdict]] = {}
    for verdict in report.verdicts:
        if verdict.outcome is Outcome.PASS:
            passed.setdefault(verdict.group, []).append(verdict)
    return [
        Group(heading(group), len(verdicts), once(verdict.figure for verdict in verdicts))
        for group, verdicts in passed.items()
    ]


def _refused(report: Report) -> bool:
    return any(v.group == "account" and v.facts.get("registered") is False for v in report.verdicts)


def _closing(
    report: Report, problems: Sequence[Problem], required: Sequence[Verdict], undecided: Sequence[Verdict]
) -> str:
    """What it comes to, in terms of what is required."""
    if _refused(report):
        return "the login was refused; do not try the account again yet"
    if report.outcome is Readiness.READY:
        return f"all {len(required)} required checks passed" if required else "nothing that is required was asked"
    could_not = f"{len(undecided)} of {len(required)} required checks could not be measured"
    if not problems:
        waits = waiting_for(report)
        return f"waiting for the provider to {waits}; {could_not}" if waits else could_not
    several = f"{len(problems)} problem{'s' * (len(problems) > 1)} to fix"
    return f"{several}; {could_not}" if undecided else several


def next_steps(report: Report) -> list[str]:
    """The next step in the installer's day, as commands with a word before them."""
    if _refused(report):
        return ["After the provider has checked the account: gosip-check register"]
    if report.is_demo:
        is_of_pbx = report.part.startswith("pbx")
        return ["With a real PBX: gosip-check pbx rehearse" if is_of_pbx else "At the site: gosip-check run"]
    match report.outcome, report.part:
        case Readiness.READY, "":
            return ["Next: gosip-check register --user NAME", "then: gosip-check schedule install"]
        case Readiness.READY, "register":
            return ["Next: enter the same user name and password in the PBX"]
        case Readiness.READY, _:
            return ["The whole site: gosip-check run"] if report.part != "health" else []
        case Readiness.NOT_READY, "pbx trace":
            return ["After the fix, with a new capture: gosip-check pbx trace FILE"]
        case Readiness.NOT_READY, _:
            return [f"After the fix: {_again(report)}"]
        case _, "":
            return [
                f"{'Once it is on the list' if waiting_for(report) else 'Then'}: {AGAIN}",
                "Or send the report as it is: it says what is missing.",
            ]
        case _:
            return []
