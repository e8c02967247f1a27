"""What an emulated PBX does, as a record: as the guide wants it, or otherwise in one thing (`emulated_faults`).

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
