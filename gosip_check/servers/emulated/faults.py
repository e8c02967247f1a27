"""The faults that an emulated PBX can have, in the words of users: what it does otherwise, and which row finds it."""

from dataclasses import dataclass
from typing import Literal

from gosip_check.servers.emulated.behaviour import Behaviour


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
    "no-unregister": Fault(
        "it does not take its registration back when the trunk is switched off",
        "pbx.unregisters",
        "warn",
        Behaviour(takes_registration_back=False),
    ),
    "calls-other-site": Fault(
        "calls go to the site where it is not registered", "pbx.invite-target", "fail", Behaviour(calls_other_site=True)
    ),
    "address-in-invite": Fault(
        "INVITE names an address in place of the domain",
        "pbx.invite-target",
        "warn",
        Behaviour(invite_uri="sip:{number}@{site}"),
    ),
    "no-ppi": Fault("calls have no P-Preferred-Identity", "pbx.ppi", "fail", Behaviour(identity="")),
    "national-ppi": Fault(
        "P-Preferred-Identity holds the national number in place of the user name",
        "pbx.ppi",
        "fail",
        Behaviour(identity="P-Preferred-Identity: <sip:{national}@{domain}>"),
    ),
    "pai-for-ppi": Fault(
        "calls have P-Asserted-Identity in place of P-Preferred-Identity",
        "pbx.ppi",
        "warn",
        Behaviour(identity="P-Asserted-Identity: <sip:{user}@{domain}>"),
    ),
    "extension-in-from": Fault(
        "calls show the extension", "pbx.from-national", "fail", Behaviour(invite_from="<sip:101@{domain}>")
    ),
    "foreign-from": Fault(
        "calls show a number that is not of the account",
        "pbx.from-national",
        "fail",
        Behaviour(invite_from="<sip:21212121@{domain}>"),
    ),
    "country-code-in-from": Fault(
        "calls show the number with the country code",
        "pbx.from-national",
        "warn",
        Behaviour(invite_from="<sip:+356{national}@{domain}>"),
    ),
    "forwards-caller": Fault(
        "a forwarded call shows the number of the caller",
        "pbx.from-forwarded",
        "warn",
        Behaviour(forwards_as_caller=True),
    ),
    "shows-withheld": Fault(
        "a withheld number is shown, and nothing says that it is withheld",
        "pbx.clir",
        "warn",
        Behaviour(withholds=False),
    ),
    "line-access-digit": Fault(
        "the digit for an outside line stays before the number", "pbx.to-format", "fail", Behaviour(dials="9{number}")
    ),
    "digit-by-digit": Fault(
        "the number is sent in parts, which grow", "pbx.to-format", "fail", Behaviour(sends_digits_one_by_one=True)
    ),
    "country-code-in-to": Fault(
        "numbers of this country are called with the country code",
        "pbx.to-format",
        "warn",
        Behaviour(dials_national="356{number}"),
    ),
    "extension-in-contact": Fault(
        "Contact of INVITE holds the extension",
        "pbx.invite-contact",
        "warn",
        Behaviour(invite_contact="<sip:101@{here}>"),
    ),
    "no-call-password": Fault(
        "a call that is asked for the password is not sent again",
        "pbx.invite-auth",
        "warn",
        Behaviour(answers_invite_challenge=False),
    ),
    "tries-tcp": Fault(
        "it sends REGISTER over TCP before it sends it over UDP", "pbx.udp-only", "fail", Behaviour(tries_tcp=True)
    ),
    "long-messages": Fault(
        "INVITE is so long that it travels in fragments", "pbx.udp-only", "warn", Behaviour(sends_long_messages=True)
    ),
    "mu-law-first": Fault(
        "mu-law is offered before A-law",
        "pbx.codec-alaw",
        "warn",
        Behaviour(codecs=("0 PCMU/8000", "8 PCMA/8000")),
    ),
    "mu-law-only": Fault(
        "mu-law alone is offered, and A-law refused",
        "pbx.codec-alaw",
        "fail",
        Behaviour(codecs=("0 PCMU/8000",)),
        also=("pbx.incoming-call",),
    ),
    "answers-mu-law": Fault(
        "an offer of A-law is answered with mu-law",
        "pbx.codec-alaw",
        "fail",
        Behaviour(codecs=("0 PCMU/8000",), refuses_other_codecs=False),
    ),
    "packets-of-30-ms": Fault("a packet holds 30 ms of sound", "pbx.ptime", "warn", Behaviour(packet_ms=30)),
    "ice": Fault(
        "calls offer ICE", "pbx.no-extras", "warn", Behaviour(more_sdp="a=ice-ufrag:x|a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa")
    ),
    "video": Fault("calls offer video", "pbx.no-extras", "warn", Behaviour(more_sdp="m=video 50000 RTP/AVP 31")),
    "fax": Fault("calls offer T.38 fax", "pbx.no-extras", "warn", Behaviour(more_sdp="m=image 50000 udptl t38")),
    "no-rtp": Fault("it sends no sound", "pbx.rtp-both-ways", "fail", Behaviour(sends_rtp=False)),
    "rtp-from-other-port": Fault(
        "sound comes from another port than it is wanted at",
        "pbx.rtp-both-ways",
        "warn",
        Behaviour(rtp_from_other_port=True),
    ),
    "silence-suppression": Fault(
        "silence is not sent as sound", "pbx.rtp-both-ways", "warn", Behaviour(suppresses_silence=True)
    ),
    "digits-as-info": Fault("digits go as SIP INFO", "pbx.dtmf-rfc2833", "fail", Behaviour(digits_as_info=True)),
    "no-digits": Fault("digits are not offered as events", "pbx.dtmf-rfc2833", "fail", Behaviour(events="")),
    "digits-of-another-clock": Fault(
        "events have another clock than the sound",
        "pbx.dtmf-rfc2833",
        "warn",
        Behaviour(events="101 telephone-event/16000"),
    ),
    "digits-end-once": Fault("the end of a digit is sent once", "pbx.dtmf-rfc2833", "warn", Behaviour(event_ends=1)),
    "digits-not-understood": Fault(
        "digits of a caller are not understood", "pbx.dtmf-receives", "warn", Behaviour(says_no_to="dtmf-receives")
    ),
    "no-session-timer": Fault(
        "INVITE asks for no session timer", "pbx.session-timer", "warn", Behaviour(session_expires="")
    ),
    "other-session-timer": Fault(
        "INVITE asks for a session timer of half an hour",
        "pbx.session-timer",
        "warn",
        Behaviour(session_expires="1800"),
    ),
    "no-refresh": Fault(
        "it does not refresh a session when it is its turn",
        "pbx.session-refresh",
        "warn",
        Behaviour(refreshes_sessions=False),
    ),
    "refuses-refresh": Fault(
        "it refuses a refresh of the trunk", "pbx.session-refreshed", "fail", Behaviour(accepts_refresh=False)
    ),
    "refuses-calls": Fault("it refuses calls of the trunk", "pbx.incoming-call", "fail", Behaviour(refuses_calls=403)),
    "ignores-calls": Fault(
        "it does not answer calls of the trunk", "pbx.incoming-call", "fail", Behaviour(ignores_calls=True)
    ),
    "one-number": Fault(
        "it knows the main number only", "pbx.routes-by-to", "fail", Behaviour(knows_every_number=False)
    ),
    "one-phone": Fault(
        "one phone rings for every number", "pbx.routes-by-to", "warn", Behaviour(says_no_to="routes-by-to")
    ),
    "hides-caller": Fault(
        "the phone does not show who calls", "pbx.incoming-number", "warn", Behaviour(says_no_to="incoming-number")
    ),
    "refuses-headers": Fault(
        "it refuses a call with header fields that it does not know",
        "pbx.tolerates-headers",
        "fail",
        Behaviour(refuses_headers=True),
        also=("pbx.incoming-call",),
    ),
    "changes-to": Fault(
        "To does not come back as it was sent", "pbx.tolerates-headers", "fail", Behaviour(changes_to=True)
    ),
    "refuses-prack": Fault("it refuses PRACK", "pbx.100rel", "warn", Behaviour(refuses_prack=True)),
    "no-early-media": Fault(
        "announcements before the answer are not heard", "pbx.early-media", "warn", Behaviour(says_no_to="early-media")
    ),
    "zero-address-hold": Fault(
        "hold is asked for with the address 0.0.0.0", "pbx.hold", "warn", Behaviour(holds_with_zero_address=True)
    ),
    "hold-drops": Fault("a call on hold is lost", "pbx.hold", "warn", Behaviour(drops_when_holding=True)),
    "loses-calls": Fault(
        "the BYE of a caller is answered with 481", "pbx.hangs-up", "fail", Behaviour(loses_calls=True)
    ),
    "no-route": Fault(
        "BYE does not follow the Record-Route of the call",
        "pbx.hangs-up",
        "fail",
        Behaviour(follows_record_route=False),
    ),
    "calls-do-not-move": Fault(
        "a call is not tried at the second site", "pbx.fails-over-call", "warn", Behaviour(calls_move=False)
    ),
    "calls-move-slowly": Fault(
        "a call is tried at the second site after half a minute",
        "pbx.fails-over-call",
        "warn",
        Behaviour(call_gives_up_after_s=30.0),
    ),
}
"""By their names, in the words of users."""
