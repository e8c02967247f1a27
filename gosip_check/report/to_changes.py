"""The difference between two reports as lines for a person. Says what changed and never whether it matters."""

from collections.abc import Iterator

from rich.text import Text

from gosip_check.report.changes import Changes, FigureChange, VerdictChange
from gosip_check.report.text import visible
from gosip_check.values import shown

_STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "unknown": "magenta", "skipped": "dim"}


def change_lines(changes: Changes, every_figure: bool = False) -> Iterator[Text]:
    """Requirements first, then statements, then figures; small moves of figures only when asked for."""
    if changes.outcome_before is not changes.outcome_after:
        yield Text(f"{changes.outcome_before} -> {changes.outcome_after}", "bold")
    else:
        yield Text(f"{changes.outcome_after}, as before", "bold")
    for verdict in changes.verdicts:
        yield verdict_line(verdict)
        yield Text(f"    before: {visible(verdict.reason_before, 400) or '-'}", "dim")
        yield Text(f"    after:  {visible(verdict.reason_after, 400) or '-'}")
    for statement in changes.statements:
        before, after = (
            visible(value, 200) if value is not None else "-" for value in (statement.before, statement.after)
        )
        yield Text(f"{visible(statement.link)}  {visible(statement.name)}: {before} -> {after}")
    figures = [figure for figure in changes.figures if every_figure or figure.is_marked]
    for figure in figures:
        yield Text(figure_line(figure))
    small = len(changes.figures) - len(figures)
    if small:
        yield Text(f"{small} figure(s) moved too little to be shown; --all shows them.", "dim")
    if not changes.verdicts and not changes.statements and not changes.figures:
        yield Text("Nothing changed.")


def verdict_line(change: VerdictChange) -> Text:
    """One requirement, from outcome to outcome."""
    before, after = change.before or "not asked", change.after or "not asked"
    return Text.assemble(
        f"{visible(change.link)}  {visible(change.id)}: ",
        (str(before), _STYLES.get(before, "dim")),
        " -> ",
        (str(after), _STYLES.get(after, "dim")),
        (f"  {visible(change.title, 200)}", "dim"),
    )


def figure_line(change: FigureChange) -> str:
    """One figure, from value to value."""
    before, after = (shown(value, digits=6) for value in (change.before, change.after))
    unit = f" {change.unit}" if change.unit else ""
    return f"{visible(change.link)}  {visible(change.name)}: {before} -> {after}{unit}"
