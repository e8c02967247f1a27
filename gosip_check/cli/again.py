"""`run --again` and `run --until-ready`: from an earlier report to a plan that measures only what did not pass."""

from __future__ import annotations

import sys
import time
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from gosip_check.cli.exits import EXIT_READY, UsageProblem

if TYPE_CHECKING:
    from gosip_check.again import Again
    from gosip_check.plan import Plan
    from gosip_check.probes.secret import Secret
    from gosip_check.records import Checklist, Link, Report, Settings

_EVERY_S = 60.0
"How long `--until-ready` waits between two tries where there is nobody to press Enter."
_WHOLE = "Nothing was measured; `gosip-check run` measures everything."


def run_again(name: str | None, account_file: str | None, options: Mapping[str, Any], named: Container[str]) -> int:
    """What did not pass in the report `name`, measured again; the exit code. named: options of the command line.

    Raises UsageProblem where nothing of it may be taken over.
    """
    from gosip_check.again import Again, Refused
    from gosip_check.cli.beforehand import say_beforehand
    from gosip_check.cli.carry_out import carry_out

    report = _loaded(name or "last", options, named)
    plan, options = _plan(Again(report), account_file, options, named)
    if not options["quiet"]:
        say_beforehand(plan)
    try:
        return carry_out(plan, options)
    except Refused as refused:
        raise UsageProblem(f"{name}: {refused} {_WHOLE}") from refused


def run_until_ready(
    name: str | None, account_file: str | None, options: Mapping[str, Any], named: Container[str]
) -> int:
    """Try after try, each of them only what keeps the site from ready; the exit code of the last one."""
    from gosip_check.again import Again, Refused
    from gosip_check.cli.beforehand import say_beforehand
    from gosip_check.cli.carry_out import check, exit_code
    from gosip_check.cli.plan import plan_of

    if account_file is not None:
        raise UsageProblem("--until-ready tries no account: each try counts towards its lock. Leave out --account.")
    plan = plan_of("run", options, lambda checklist: list(checklist.requirements))
    if name is not None:
        plan, options = _plan(Again(_loaded(name, options, named), musts_only=True), None, options, named)
    while True:
        if not options["quiet"]:
            say_beforehand(plan)
        try:
            ended = check(plan, options, offers_form=False)
        except Refused as refused:
            click.echo(f"{refused} So everything is measured.", err=True)
            plan = replace(plan, again=None)
            continue
        code = exit_code(ended.report.outcome)
        if code == EXIT_READY or ended.stopped or not _wait():
            return code
        again = Again(ended.report, musts_only=True)
        plan = replace(plan, again=again, remains=[])


def _wait() -> bool:
    """For Enter, or for a minute where nobody can press it; False where the person has enough."""
    try:
        if sys.stdin.isatty() and sys.stderr.isatty():
            click.echo("Fix what failed, then press Enter. Ctrl-C ends this.", err=True, nl=False)
            return sys.stdin.readline() != ""
        click.echo(f"The next try begins in {_EVERY_S:.0f} s. Ctrl-C ends this.", err=True)
        time.sleep(_EVERY_S)
    except KeyboardInterrupt:
        click.echo("", err=True)
        return False
    return True


def _loaded(name: str, options: Mapping[str, Any], named: Container[str]) -> Report:
    """The report, where it holds together. Raises UsageProblem."""
    from gosip_check.cli.inputs import load_report
    from gosip_check.rejudge import contradictions

    report = load_report(name)
    if report.asked is None:
        raise UsageProblem(f"{name}: does not say what was asked; an older version wrote it. {_WHOLE}")
    if report.command == "run" and contradictions(report, _checklist(report, name, options, named)):
        raise UsageProblem(f"{name}: does not hold together, see `gosip-check report check {name}`. {_WHOLE}")
    return report


def _checklist(report: Report, name: str, options: Mapping[str, Any], named: Container[str]) -> Checklist:
    """The one that the report was made with, to the byte. Raises UsageProblem."""
    from gosip_check.cli.inputs import checklist_of

    checklist = checklist_of(report, options["checklist"] if "checklist" in named else None)
    if checklist is None:
        raise UsageProblem(
            f"{name}: was made with the checklist {report.checklist.id} (SHA-256 {report.checklist.sha256[:12]}...); "
            f"name its file with --checklist. {_WHOLE}"
        )
    return checklist


def _plan(
    again: Again, account_file: str | None, options: Mapping[str, Any], named: Container[str]
) -> tuple[Plan, Mapping[str, Any]]:
    """The plan of the earlier run, and what was left out there and is named now; and the options with its checklist."""
    from gosip_check.cli.account import account_of
    from gosip_check.cli.plan import plan_of

    report = again.report
    checklist = _checklist(report, "The report", options, named)
    tried = [verdict for verdict in report.verdicts if verdict.group == "account"]
    if tried and account_file is None:
        raise UsageProblem(f"The earlier run tried an account; name it again with --account. {_WHOLE}")
    password: Secret | None = None
    if account_file is not None:
        login = account_of(account_file)
        password = login.password
        options = {**options, "account": login.user, "auth_user": login.auth_user}
    plan = plan_of("run", options, lambda _: list(checklist.requirements))
    return (
        replace(
            plan,
            checklist=checklist,
            requirements=list(checklist.requirements),
            links=_links(report, plan, named),
            settings=_settings(report, plan, named),
            skip=list(dict.fromkeys([*report.skip, *options["skip"]])),
            form=plan.form or report.form,
            company=plan.company or report.company,
            password=password,
            again=again,
        ),
        options,
    )


def _settings(report: Report, plan: Plan, named: Container[str]) -> Settings:
    """Those of the earlier run, and what was left out there. Raises UsageProblem for one that differs.

    A setting that is named and was empty is something new to measure with, such as a reflector.
    """
    from msgspec.structs import replace

    before = report.asked.settings if report.asked else plan.settings
    changed: dict[str, Any] = {}
    for name in before.__struct_fields__:
        was, is_ = getattr(before, name), getattr(plan.settings, name)
        if not was:
            changed[name] = is_
        elif name in named and was != is_:
            option = f"--{name.removesuffix('_s').replace('_', '-')}"
            raise UsageProblem(f"{option}: the earlier run was made with {was}, so this would be another. {_WHOLE}")
    return replace(before, **changed)


def _links(report: Report, plan: Plan, named: Container[str]) -> list[Link]:
    """Those of the earlier run. Raises UsageProblem where others are named."""
    before = report.asked.links if report.asked else []
    if "links" in named and list(plan.links) != before:
        names = ", ".join(f"{link.name}={link.interface or link.source or 'any'}" for link in before)
        raise UsageProblem(f"--link: the earlier run was made with {names}. {_WHOLE}")
    return before
