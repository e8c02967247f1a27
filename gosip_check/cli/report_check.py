"""`report check`: do reports that were handed in hold together? One for a person, thousands for an order desk."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import click

from gosip_check.cli.commands import example
from gosip_check.cli.exits import EXIT_INCONCLUSIVE, EXIT_NOT_READY, EXIT_READY, EXIT_USAGE
from gosip_check.cli.inputs import load_checklist, signing_key
from gosip_check.cli.report_files import Source, for_each
from gosip_check.form_fields import names_of

if TYPE_CHECKING:
    from gosip_check.vetting import Vetted

_LEADS_TO = {
    "not-right": EXIT_NOT_READY,
    "unreadable": EXIT_USAGE,
    "undecided": EXIT_INCONCLUSIVE,
    "holds-together": EXIT_READY,
}
"Trust -> exit code, the worst first."


@click.command(epilog=example("report check report.json", "report check orders/ --jsonl"))
@click.argument("files", metavar="FILE|DIR|-...", nargs=-1, required=True)
@click.option("--checklist", metavar="ID|PATH", help="The checklist it was made with, where it is not a shipped one.")
@click.option("--verify-key-file", metavar="FILE", help="The key that must have signed it: Ed25519 public, or shared.")
@click.option("--jsonl", is_flag=True, help="Print one line of JSON for each report, for programs.")
def check(files: tuple[str, ...], checklist: str | None, verify_key_file: str | None, jsonl: bool) -> int:
    """Does every verdict of a report follow from what was measured?

    An order of `report bundle` is checked in both its parts, and whether they belong together.

    A folder stands for all its *.json, - for standard input: one report, or one a line. Many are checked on all cores.

    Exit code 0: it holds together. 1: it does not, or the signature is wrong. 2: it is no report. 3: nothing in it is
    wrong as far as can be seen, but it is no whole check of a site, something was left out on request, its checklist is
    not at hand, or another version wrote it. Of several reports the worst counts: 1, then 2, 3, 0.
    """
    from gosip_check.report.text import visible

    signing_key(verify_key_file, signs=False)  # a wrong one is said once
    if checklist:
        load_checklist(checklist)
    trusts: Counter[str] = Counter()
    for vetted in for_each(partial(_vetted, checklist=checklist, key_file=verify_key_file), files, _lost):
        trusts[vetted.trust] += 1
        if jsonl:
            _print_line(vetted)
        else:
            _print(vetted)
    if not jsonl and trusts.total() > 1:
        counted = ", ".join(f"{trusts[trust]} {trust}" for trust in _LEADS_TO if trusts[trust])
        click.echo(visible(f"{trusts.total()} reports: {counted}."))
    return next((code for trust, code in _LEADS_TO.items() if trusts[trust]), EXIT_READY)


def _vetted(source: Source, checklist: str | None, key_file: str | None) -> Vetted:
    from gosip_check.vetting import vet

    return vet(*source, checklist=checklist, key_file=key_file)


def _lost(source: Source) -> Vetted:
    from gosip_check.vetting import Trust, Vetted

    error = f"{source[0]}: the process that checked it died; it may want more memory than there is."
    return Vetted(path=source[0], trust=Trust.UNREADABLE, error=error)


def _print_line(vetted: Vetted) -> None:
    import msgspec

    from gosip_check.report.to_json import safe

    click.echo(safe(msgspec.json.encode(vetted).decode()))


def _print(vetted: Vetted) -> None:
    from gosip_check.report.text import visible

    file = visible(vetted.path)
    if vetted.error is not None:
        click.echo(f"Error: {visible(vetted.error)}", err=True)
        return
    for sentence in filter(None, [*vetted.contradictions, *vetted.undecided, vetted.taken_over]):
        click.echo(visible(sentence))
    if vetted.not_filled_in is None:
        click.echo("It holds no Customer Compliance Form.")
    elif vetted.not_filled_in:
        click.echo(f"Not filled in on its form: {names_of(vetted.not_filled_in)}.")
    if vetted.contradictions:
        click.echo(f"{file}: NOT RIGHT: {len(vetted.contradictions)} contradiction(s).")
        return
    signed = f", signed with the key {vetted.signed_with}" if vetted.signed_with else ""
    result = "undecided" if vetted.undecided else "holds together"
    click.echo(visible(f"It is about: {vetted.about}."))
    if not vetted.is_signed:
        click.echo("It is unsigned: who wrote it is not proven.")
    each = ", ".join(f"{part} {outcome}" for part, outcome in vetted.outcomes.items())
    click.echo(f"{file}: {result}{signed}. It says: {vetted.outcome}{f' ({each})' if each else ''}.")
