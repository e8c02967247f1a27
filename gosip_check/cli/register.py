"""`register`: does the provider take user name and password of an account? One attempt, once all before has passed."""

from typing import Any

import click

from gosip_check.cli.account import check_user, password_of
from gosip_check.cli.exits import EXIT_CODES
from gosip_check.cli.options import Chosen, form_of, links_of, output_options, settings_of, site_options


@click.command(epilog=EXIT_CODES)
@click.option("--user", required=True, metavar="NAME", help="The SIP user name that the provider supplied.")
@click.option("--password-file", metavar="FILE", help="A file with the password, mode 600; else keyring or prompt.")
@click.option("--bind", is_flag=True, help="Register for a moment and take it back, instead of only asking.")
@click.option("--i-know", is_flag=True, help="Try although the last attempt failed. Never a third time in a row.")
@site_options
@output_options
def register(user: str, password_file: str | None, bind: bool, i_know: bool, **options: Any) -> int:
    """Try the account: at most one attempt, because three failures in a row lock it.

    DNS, signalling and the absence of a SIP ALG are looked at first; no password is sent unless all of them pass.
    Without --bind no registration of a PBX is touched.
    """
    import msgspec

    from gosip_check.cli.carry_out import carry_out, load_checklist
    from gosip_check.run import Plan, select

    chosen = Chosen(**options)
    checklist = load_checklist(chosen.checklist)
    check_user(user)
    links = links_of(chosen)
    settings = msgspec.structs.replace(settings_of(chosen), account=user, account_bind=bind, account_again=i_know)
    plan = Plan(
        checklist=checklist,
        requirements=select(checklist, ("account.*",)),
        links=links,
        settings=settings,
        skip=chosen.skip,
        form=form_of(chosen),
        command="register",
        password=password_of(user, password_file),
    )
    return carry_out(plan, chosen, details=True)
