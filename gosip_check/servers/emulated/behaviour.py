"""What an emulated PBX does, as a record: as the guide wants it, or otherwise in one thing (`faults`).

Texts with names in braces are filled in: {domain}, {user}, {national}, {here} (address and port of the PBX), {site}.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Behaviour:
    """The defaults are those of a PBX that the guide describes. Times in seconds."""

    # How it finds the trunk.
    asks: Literal["srv", "address", "nothing"] = "srv"
    takes_first_record: bool = False
    asks_once: bool = False
    # REGISTER, as it is written.
    register_uri: str = "sip:{domain}"
    register_from: str = "<sip:{user}@{domain}>"
    register_contact: str = "<sip:{user}@{here}>"
    asks_rport: bool = True
    tries_tcp: bool = False
    "A REGISTER over TCP, and after it those over UDP."
    digest_uri: str = "{uri}"
    knows_password: bool = True
    # Registration in time.
    expires_s: int = 300
    refreshes_after: float = 0.9
    "Of the time that was granted."
    answers_new_challenge: bool = True
    # Silence, errors and refusals.
    gives_up_after_s: float = 8.0
    "A REGISTER that is not answered; then the next site is tried."
    moves: bool = True
    changes_sites: bool = False
    "Once the first site is back, it registers at one and the other in turn."
    repeats_after_error: int = 0
    "Tries at a site that answers 503, before the next one."
    tries_refused_again_after_s: float | None = None
    takes_registration_back: bool = True
    # Keep-alive.
    answers_options: int | None = 200
    trusts_site_b: bool = True
    own_options_every_s: float | None = None
    own_options_to: Literal["every-site", "one-site"] = "every-site"
    # Calls of its own, as they are written.
    invite_uri: str = "sip:{number}@{domain}"
    invite_from: str = "<sip:{national}@{domain}>"
    invite_contact: str = "<sip:{national}@{here}>"
    identity: str = "P-Preferred-Identity: <sip:{user}@{domain}>"
    dials: str = "{number}"
    dials_national: str = "{number}"
    sends_digits_one_by_one: bool = False
    calls_other_site: bool = False
    calls_move: bool = True
    call_gives_up_after_s: float = 5.0
    answers_invite_challenge: bool = True
    withholds: bool = True
    forwards_as_caller: bool = False
    sends_long_messages: bool = False
    session_expires: str = "900"
    "Empty: it does not know session timers."
    # Sound.
    codecs: tuple[str, ...] = ("8 PCMA/8000",)
    refuses_other_codecs: bool = True
    profile: str = "RTP/AVP"
    more_sdp: str = ""
    "Lines behind the audio, with | between them."
    packet_ms: int = 20
    sends_rtp: bool = True
    rtp_from_other_port: bool = False
    suppresses_silence: bool = False
    events: str = "101 telephone-event/8000"
    event_ends: int = 3
    digits_as_info: bool = False
    # Calls of the trunk, and what happens within calls.
    refuses_calls: int | None = None
    ignores_calls: bool = False
    knows_every_number: bool = True
    refuses_headers: bool = False
    changes_to: bool = False
    rings_reliably: bool = True
    refuses_prack: bool = False
    refreshes_sessions: bool = True
    accepts_refresh: bool = True
    holds_with_zero_address: bool = False
    drops_when_holding: bool = False
    loses_calls: bool = False
    "A BYE of the trunk is for no call that it knows."
    follows_record_route: bool = True
    # What the installer says that he hears and sees.
    says_nothing: bool = False
    says_no_to: str = ""
    "One question of rehearsal.asking."
