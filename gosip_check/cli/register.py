"""`register`: does the provider take user name and password of an account? One attempt, once all before has passed."""

from typing import Any

import click

from gosip_check.cli.account import check_auth_user, check_user, password_of, spent
from gosip_check.cli.exits import EXIT_CODES, EXIT_INCONCLUSIVE
from gosip_check.cli.options import Chosen, form_of, links_of, output_options, settings_of, site_options


@click.command(epilog=EXIT_CODES)
@click.option("--user", required=True, metavar="NAME", help="The SIP user name that the provider supplied.")
@click.option("--auth-user", metavar="NAME", help="The authentication name, where the provider supplied a second name.")
@click.option("--password-file", metavar="FILE", help="A file with the password, mode 600; else keyring or prompt.")
@click.option("--bind", is_flag=True, help="Also register for a moment, and take that back.")
@click.option("--i-know", is_flag=True, help="Try although the last attempt did not succeed. Never a third in a row.")
@site_options
@output_options
def register(
    user: str, auth_user: str | None, password_file: str | None, bind: bool, i_know: bool, **options: Any
) -> int:
    """Try the account: at most one attempt, because three failures in a row lock it.

    DNS, signalling and the absence of a SIP ALG are looked at first; no password is sent unless all of them pass.
    Without --bind no registration of a PBX is touched.
    """
    import msgspec

    from gosip_check.cli.carry_out import carry_out, load_checklist
    from gosip_check.probes.account.attempts import refusal
    from gosip_check.run import Plan, select

    chosen = Chosen(**options)
    checklist = load_checklist(chosen.checklist)
    check_user(user)
    check_auth_user(auth_user)
    links = links_of(chosen)
    settings = msgspec.structs.replace(
        settings_of(chosen), account=user, auth_user=auth_user, account_bind=bind, account_again=i_know
    )
    form = form_of(chosen)
    refused = refusal(checklist.trunk.provider, user, auth_user or user, again=i_know)
    if refused is not None:
        click.echo(refused, err=True)
        if not (chosen.json or chosen.html or chosen.svg):
            return EXIT_INCONCLUSIVE
    plan = Plan(
        checklist=checklist,
        requirements=select(checklist, ("account.*",)),
        links=links,
        settings=settings,
        skip=chosen.skip,
        form=form,
        command="register",
        password=spent() if refused else password_of(user, password_file),
    )
    return carry_out(plan, chosen, details=True)
