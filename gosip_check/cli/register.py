"""`register`: does the provider take user name and password of an account? One attempt, once all before has passed."""

from __future__ import annotations

from typing import Any

import click

from gosip_check.cli.account import check_auth_user, check_user, password_of, spent
from gosip_check.cli.commands import example
from gosip_check.cli.exits import EXIT_INCONCLUSIVE
from gosip_check.cli.options import output_options, site_options


@click.command(epilog=example("register --user 35621000000"))
@click.option("--user", "account", required=True, metavar="NAME", help="The SIP user name that the provider supplied.")
@click.option("--auth-user", metavar="NAME", help="The authentication name, where the provider supplied a second name.")
@click.option("--password-file", metavar="FILE", help="A file with the password, mode 600; else keyring or prompt.")
@click.option("--bind", "account_bind", is_flag=True, help="Also register for a moment, and take that back.")
@click.option(
    "--i-know",
    "account_again",
    is_flag=True,
    help="Try although the last attempt did not succeed. Never a third in a row.",
)
@site_options
@output_options
def register(password_file: str | None, **options: Any) -> int:
    """Try the account, once: three failures in a row lock it.

    DNS, signalling and the absence of a SIP ALG are looked at first; no password is sent unless all of them pass.
    Without --bind no registration of a PBX is touched.
    """
    from dataclasses import replace

    from gosip_check.cli.carry_out import carry_out
    from gosip_check.cli.plan import plan_of
    from gosip_check.plan import select
    from gosip_check.probes.account.attempts import refusal
    from gosip_check.report import FORMATS

    user, auth_user = options["account"], options["auth_user"]
    check_user(user)
    check_auth_user(auth_user)
    plan = plan_of("register", options, lambda checklist: select(checklist, ["account.*"]))
    refused = refusal(plan.checklist.trunk.provider, user, auth_user or user, again=options["account_again"])
    if refused is not None:
        click.echo(refused, err=True)
        if not any(options[name] for name in FORMATS):
            return EXIT_INCONCLUSIVE
    password = spent() if refused else password_of(user, password_file)
    return carry_out(replace(plan, password=password), options)
