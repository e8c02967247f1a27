"""The faults that an emulated PBX can have, in the words of users: what it does otherwise, and which row finds it."""

from dataclasses import dataclass
from typing import Literal

from gosip_check.servers.emulated_behaviour import Behaviour


@dataclass(frozen=True)
class Fault:
    """says: for people. row: the requirement that finds it, as fail or warn. also: those that must fail with it."""

    says: str
    row: str
    outcome: Literal["fail", "warn"]
    behaviour: Behaviour
    also: tuple[str, ...] = ()


FAULTS: dict[str, Fault] = {
    "no-srv": Fault(
        "it asks DNS for the address of the trunk's name only",
        "pbx.asks-srv",
        "fail",
        Behaviour(asks="address"),
        also=("pbx.fails-over",),
    ),
    "fixed-address": Fault(
        "the address of a server is entered in place of the trunk's name",
        "pbx.asks-srv",
        "fail",
        Behaviour(asks="nothing"),
        also=("pbx.fails-over",),
    ),
    "first-record": Fault(
        "it takes the first SRV record, whatever its priority",
        "pbx.srv-order",
        "fail",
        Behaviour(takes_first_record=True),
    ),
    "asks-dns-once": Fault(
        "it asks DNS when it starts and never again", "pbx.follows-ttl", "warn", Behaviour(asks_once=True)
    ),
    "registers-at-address": Fault(
        "REGISTER goes to an address in place of the domain",
        "pbx.register-ruri",
        "fail",
        Behaviour(register_uri="sip:{site}"),
    ),
    "port-after-domain": Fault(
        "REGISTER has a port behind the domain",
        "pbx.register-ruri",
        "warn",
        Behaviour(register_uri="sip:{domain}:5060"),
    ),
    "national-user": Fault(
        "From of REGISTER holds the national number in place of the user name",
        "pbx.register-from",
        "fail",
        Behaviour(register_from="<sip:{national}@{domain}>"),
    ),
    "address-in-from": Fault(
        "From of REGISTER holds the PBX's own address in place of the domain",
        "pbx.register-from",
        "fail",
        Behaviour(register_from="<sip:{user}@{here}>"),
    ),
    "port-in-from": Fault(
        "From of REGISTER has a port behind the domain",
        "pbx.register-from",
        "warn",
        Behaviour(register_from="<sip:{user}@{domain}:5060>"),
    ),
    "other-contact": Fault(
        "Contact of REGISTER holds another user than the user name",
        "pbx.register-contact",
        "warn",
        Behaviour(register_contact="<sip:s@{here}>"),
    ),
    "no-rport": Fault("Via does not ask for rport", "pbx.rport", "warn", Behaviour(asks_rport=False)),
    "wrong-password": Fault(
        "another password is entered than that of the slip", "pbx.auth", "fail", Behaviour(knows_password=False)
    ),
    "other-digest-uri": Fault(
        "the answer to the challenge names another uri than the request line",
        "pbx.auth",
        "warn",
        Behaviour(digest_uri="sip:{site}"),
    ),
    "long-expiry": Fault("it asks for a registration of an hour", "pbx.expires", "warn", Behaviour(expires_s=3600)),
    "late-refresh": Fault(
        "it registers again when the time is over", "pbx.reregisters", "fail", Behaviour(refreshes_after=1.05)
    ),
    "last-second-refresh": Fault(
        "it registers again in the last seconds", "pbx.reregisters", "warn", Behaviour(refreshes_after=0.97)
    ),
    "frequent-refresh": Fault(
        "it registers again every few seconds", "pbx.reregisters", "warn", Behaviour(refreshes_after=0.4)
    ),
    "ignores-new-challenge": Fault(
        "it does not answer a new challenge when it registers again",
        "pbx.register-silent-401",
        "fail",
        Behaviour(answers_new_challenge=False),
    ),
    "keepalive-404": Fault(
        "it answers the trunk's OPTIONS with 404", "pbx.answers-keepalive", "warn", Behaviour(answers_options=404)
    ),
    "keepalive-silent": Fault(
        "it does not answer the trunk's OPTIONS", "pbx.answers-keepalive", "fail", Behaviour(answers_options=None)
    ),
    "trusts-one-site": Fault(
        "it refuses what comes from the second site", "pbx.accepts-site-b", "fail", Behaviour(trusts_site_b=False)
    ),
    "frequent-options": Fault(
        "it sends OPTIONS every five seconds", "pbx.own-options", "warn", Behaviour(own_options_every_s=5.0)
    ),
    "options-to-one-site": Fault(
        "it sends OPTIONS to one site only",
        "pbx.own-options",
        "warn",
        Behaviour(own_options_every_s=30.0, own_options_to="one-site"),
    ),
    "no-failover": Fault("it never tries the second site", "pbx.fails-over", "fail", Behaviour(moves=False)),
    "slow-failover": Fault(
        "it waits two minutes before it tries the second site",
        "pbx.fails-over",
        "warn",
        Behaviour(gives_up_after_s=120.0),
    ),
    "goes-to-and-fro": Fault(
        "once the first site is back, it registers at one and the other in turn",
        "pbx.fails-back",
        "warn",
        Behaviour(changes_sites=True),
    ),
    "tries-again-at-once": Fault(
        "it tries a refused password every twenty seconds",
        "pbx.lockout-safe",
        "warn",
        Behaviour(tries_refused_again_after_s=20.0),
    ),
    "tries-again-later": Fault(
        "it tries a refused password every four minutes",
        "pbx.lockout-safe",
        "warn",
        Behaviour(tries_refused_again_after_s=240.0),
    ),
    "tries-again-often": Fault(
        "after an error it tries again every five seconds",
        "pbx.retry-polite",
        "warn",
        Behaviour(repeats_after_error=6),
    ),
}
"""By their names, in the words of users."""
