"""What a provider demands of a site: a checklist, its requirements, its trunk."""

from enum import StrEnum
from typing import Any, Literal

from gosip_check.records.base import Record


class Level(StrEnum):
    """How much a requirement weighs: only a `must` decides whether a site is ready."""

    MUST = "must"
    SHOULD = "should"
    INFO = "info"


class Operator(StrEnum):
    """How an expectation compares a fact with its value."""

    IS = "is"
    ONE_OF = "one_of"
    MIN = "min"
    MAX = "max"
    INCLUDES = "includes"


class Expectation(Record, frozen=True):
    """One comparison: `fact` (a dotted name into the facts) `operator` `value`."""

    fact: str
    operator: Operator
    value: Any


class Titles(Record, frozen=True):
    """What a verdict is called where it did not pass: the fact for `fail` and `warn`, the gap for `unknown`.

    A {field} is a value of the trunk or a fact. Of several the first is taken whose facts are known; the last one names
    no fact. Empty: there is none, as in a checklist of an older version.
    """

    fail: str | list[str] = ""
    warn: str | list[str] = ""
    unknown: str | list[str] = ""


class Requirement(Record, frozen=True):
    """One demand on a site: what to measure, and what of it is demanded."""

    id: str
    title: str
    "A sentence that is true of a ready site."
    level: Level
    probe: str
    expect: list[Expectation]
    hint: str
    "What to do when it is not so."
    source: str
    "Where the demand comes from."
    options: dict[str, Any] = {}
    "The probe's options that this requirement sets; the run and the trunk fill in the others."
    needs: list[str] = []
    "Earlier requirements that must pass before this one is looked at."
    prefer: list[Expectation] = []
    "What a good site does better still; missing it warns where everything in `expect` holds."
    hint_if: dict[str, str] = {}
    "A fact that is true or false -> what to do instead of `hint` where it is true."
    titles: Titles = Titles()
    "What it is called where it is not so; `title` is what a pass is called."
    means: str | list[str] = ""
    "One sentence: what it does to calls when it is not so. Fields as in `titles`."
    figure: str | list[str] = ""
    "The key figure of a pass, such as `{site_count} sites`. Fields as in `titles`."
    explains: list[str] = []
    "Requirements that miss because this one does: they are told under it, without advice of their own."
    explained_if: dict[str, list[str]] = {}
    "A fact that is true or false -> requirements whose failure explains this one where it is true."
    decided_by: dict[str, str] = {}
    "An option of the command that would decide what is unknown -> what that gives, such as `a far end`."
    decided_if: dict[str, dict[str, str]] = {}
    "A fact that is true or false -> the same in place of `decided_by` where it is true; a whole command is one, too."
    health: bool = False
    "Part of the light subset that `gosip-check health` runs on a schedule."
    why: str = ""
    "For `gosip-check explain`, as the three after it: why the provider wants it."
    how: str = ""
    "How it is measured."
    unseen: str = ""
    "What that cannot see."
    by_hand: str = ""
    "How a person proves it without this tool."
    ways: list[Literal["rehearsal", "trace"]] = []
    "Of a demand on the PBX: what can show it. Where the other way was taken it is left out, and not counted."

    @property
    def group(self) -> str:
        """The part of the id before its dot: `dns` of `dns.ttl`."""
        return self.id.partition(".")[0]


THE_PROVIDER = "the provider"
"What texts call a provider whose checklist gives no name."


class Trunk(Record, frozen=True):
    """A trunk product as data. Probe options of the same name are filled from here."""

    domain: str
    service: str
    transport: Literal["udp", "tcp"]
    port: int
    networks: list[str]
    rtp_ports: tuple[int, int]
    "First and last UDP port of the media."
    codec: str
    dtmf: str
    reregistration_s: int
    kbps_per_channel: int
    session_timer_s: int | None = None
    "None where the provider names none."
    management_addresses: list[str] = []
    management_ports: list[int] = []
    "From these addresses, to these ports, a gateway that the provider delivers is managed."
    ntp_servers: list[str] = []
    ntp_port: int = 123
    "Where such a gateway gets its time."
    own_networks: list[str] = []
    own_networks_date: str = ""
    "As of when own_networks are those of the provider's internet customers."
    country_code: str = ""
    national_digits: int = 0
    "Of a number within the country; 0, and an empty country code, where nobody says how numbers look."
    provider: str = THE_PROVIDER
    "The name that people know."
    guide: str = ""
    data_sheet: str = ""
    "The provider's papers, as a source cites them; empty where not named."
    device: str = "PBX"
    "What registers at the trunk, as texts call it."


class ChecklistIdentity(Record, frozen=True):
    """Which checklist judged: enough to find the very same file again.

    sha256: of the file; of one that extends another: of the parent's sha256 in hexadecimal, a newline, and the file. Of
    one that includes others: of the sha256 so far, a newline, and the included file, one after the other.
    """

    id: str
    title: str
    version: str
    sha256: str


class Checklist(Record, frozen=True):
    """What a provider demands of a site. `source` and `date` say which document it was taken from, and when.

    extends: the id of the checklist that it was made from.
    """

    identity: ChecklistIdentity
    source: str
    date: str
    trunk: Trunk
    requirements: list[Requirement]
    extends: str | None = None
