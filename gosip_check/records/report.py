"""What was asked, measured and judged: a report and all that is in it but its form."""

from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, Any, Literal

import msgspec

from gosip_check.records.base import Record
from gosip_check.records.demand import ChecklistIdentity, Expectation, Level
from gosip_check.records.form import Form

STOPPED = "The run was stopped before this was measured."
"What a stopped run says of what it did not get to. `Verdict.stopped` is the state; nothing compares the sentence."


class FailureKind(StrEnum):
    """Why a probe brought no facts. Closed: a new kind is a new meaning, and the judge must know it.

    interrupted: somebody stopped the run. bug: a fault of ours, and what took longer than it ever may is one.
    """

    TIMEOUT = "timeout"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    PROHIBITED = "prohibited"
    MALFORMED = "malformed"
    PERMISSION = "permission"
    UNSUPPORTED = "unsupported"
    INTERRUPTED = "interrupted"
    BUG = "bug"

    @property
    def says_nothing_about_the_site(self) -> bool:
        """True where the trouble is ours or this machine's: such a failure can only be judged `unknown`."""
        return self in (FailureKind.PERMISSION, FailureKind.UNSUPPORTED, FailureKind.INTERRUPTED, FailureKind.BUG)


class Outcome(StrEnum):
    """What a verdict says. `unknown`: we looked and could not tell; `skipped`: we did not look."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class Readiness(StrEnum):
    """What a whole report says."""

    READY = "ready"
    NOT_READY = "not-ready"
    INCONCLUSIVE = "inconclusive"


class Settings(Record, frozen=True):
    """What the person who runs the tool chose, under the names of the command line's options. Probe options of the same
    name are filled from here, before the trunk.
    """

    dns_servers: list[str] = []
    system_resolvers: bool = True
    "Ask the machine's own resolvers as well, not `dns_servers` alone."
    account: str | None = None
    "The user name that logs in; its password is no setting."
    auth_user: str | None = None
    "The name that the password belongs to, where it is not the account's."
    account_bind: bool = False
    "Register an address, and take it back."
    account_listen: bool = False
    "Stay registered for two minutes, and see what comes in."
    account_again: bool = False
    "Try although an attempt has failed: `--i-know`."
    edge_snmp: str | None = None
    "The file of an EdgeAccess."
    channels: int = 10
    "Calls at the same time."
    duration_s: float = 20.0
    "How long media is measured."
    reflector: str | None = None
    "HOST[:PORT] of the far end of the media."
    reflector_key_file: str | None = None
    far_end_link: str | None = None
    "NAME=INTERFACE|ADDRESS of another line of this machine, as the far end."
    stun: list[str] = []
    "HOST[:PORT] of STUN servers."
    download: str | None = None
    upload: str | None = None
    "URLs to read from and to write to."
    find_capacity: bool = False
    requests: int = 3
    "How many OPTIONS a server that answers gets."
    thorough: bool = False
    "Wait for what takes minutes."
    load: bool = True
    "Also fill the line for some seconds."
    gentle: bool = False
    "Send nothing but round trips where media is measured."
    under_load: bool = False
    "Fill the uplink for ten seconds, to see whether voice goes first."

    @property
    def without_account(self) -> "Settings":
        """What a report tells of them: whoever asks again names the account again."""
        nothing = {"account": None, "auth_user": None, "account_bind": False, "account_listen": False}
        return msgspec.structs.replace(self, **nothing, account_again=False)


class Failure(Record, frozen=True):
    """Why there are no facts: the kind, a sentence, and who caused it (an address) where that is known."""

    kind: FailureKind
    message: str
    culprit: str | None = None


class Series(Record, frozen=True):
    """What was measured over time. points: (seconds since the start, value), thinned; measured: how many there were."""

    name: str
    unit: str
    points: list[tuple[float, float]]
    measured: int


class Measurement(Record, frozen=True):
    """What one probe saw on one link: either facts or a failure, never both."""

    id: str
    probe: str
    link: str
    subject: str
    started: Annotated[datetime, msgspec.Meta(tz=True)]
    elapsed_s: float
    facts: dict[str, Any] | None = None
    failure: Failure | None = None
    options: dict[str, Any] | None = None
    "How it was measured; None in files of versions that did not say."
    disturbance: str | None = None
    "What happened to this machine meanwhile, in sentences: what looks like the site's fault may be its own."
    taken_from: str | None = None
    "The id of the report that it was measured for, where a later one took it over."
    stopped: bool = False
    "The run was stopped before the end of it: the facts are what was seen by then."


class Verdict(Record, frozen=True):
    """One requirement judged on one link. What it says of itself is copied, so that a report needs no checklist."""

    id: str
    group: str
    title: str
    link: str
    level: Level
    outcome: Outcome
    reason: str
    "One sentence with the number in it."
    facts: dict[str, Any]
    "The expected and preferred facts as they were found, no others."
    expected: list[Expectation]
    measurement: str | None
    "The id of the measurement that was judged; None where nothing was measured."
    hint: str
    source: str
    preferred: list[Expectation] = []
    headline: str = ""
    "What it is called with this outcome; empty in files of versions that had `title` only."
    means: str = ""
    "What it does to calls; of a requirement that was missed."
    figure: str = ""
    "The key figure; of a pass."
    steps: list[str] = []
    "What to do on the devices at hand, a sentence each; `hint` holds it as well."
    explains: list[str] = []
    "Requirements that miss because this one does."
    explained_by: list[str] = []
    "Requirements whose failure explains this one, by what was found here."
    decided_by: dict[str, str] = {}
    "An option that was not given and would decide it -> what that gives."
    stopped: bool = False
    "Unknown only because the run was stopped before this, or what it needs, was measured."


ALL_LINKS = "all lines"
"What a verdict that compares the links has in place of one link's name."


class Link(Record, frozen=True):
    """One internet line of the site. `source`: the local address to bind to; None lets the system choose."""

    name: str
    source: str | None = None
    interface: str | None = None
    fixed_address: str = ""
    "The public address that the form says it always has; empty where it says none."

    @property
    def is_loopback(self) -> bool:
        """This machine's own loopback, as in a demo: over it nothing but this machine is ever asked."""
        return self.interface == "lo" if self.source is None else ip_address(self.source).is_loopback


class LinkReport(Record, frozen=True):
    """A link as the report shows it. `trouble` says why nothing could be measured on it, if that is so."""

    name: str
    source: str | None
    interface: str | None
    public_address: str | None
    trouble: str | None
    outcome: Readiness
    edge_mac: str | None = None
    "The MAC address of its default gateway, by which the router is known again. None where none was seen."


class HostIdentity(Record, frozen=True):
    """The machine that measured."""

    name: str
    system: str


class Signature(Record, frozen=True):
    """Who vouches for the document: a signature over all of it but this. `value` is hexadecimal.

    key: the first 16 hexadecimal digits of the SHA-256 of an Ed25519 public key; empty for HMAC, which has none.
    """

    algorithm: Literal["ed25519", "hmac-sha256"]
    key: str
    value: str


DEMO = " --demo"
"What the command of a report ends in that is one part of a demo."


class Asked(Record, frozen=True):
    """What the person who ran the tool chose, so that it can be asked again. Of an account nothing is kept."""

    settings: Settings
    links: list[Link]


class Report(Record, frozen=True, kw_only=True):
    """One run: what was asked, measured and judged. The JSON document that is attached to an order."""

    schema: Literal["gosip-check/report/1"] = "gosip-check/report/1"
    id: str
    tool_version: str
    command: str
    started: Annotated[datetime, msgspec.Meta(tz=True)]
    elapsed_s: float
    outcome: Readiness
    counts: dict[Outcome, int]
    checklist: ChecklistIdentity
    form: Form | None
    links: list[LinkReport]
    verdicts: list[Verdict]
    measurements: list[Measurement]
    skip: list[str] = []
    "What was left out on request, globs on requirement ids."
    host: HostIdentity | None = None
    "None in files of versions that did not say."
    company: str = ""
    "Who checks, as they name themselves."
    asked: Asked | None = None
    "None in files of versions that did not say."
    again_of: str | None = None
    "The id of the report that some measurements were taken over from."
    site: str = ""
    "The id under which the customer's site is known, the same in every run; empty where none was given."
    signature: Signature | None = None

    @property
    def is_demo(self) -> bool:
        """Made against an emulated trunk on one machine, not at a site."""
        return self.command == "demo" or self.command.endswith(DEMO)

    @property
    def part(self) -> str:
        """The only part of a check that was asked for, such as `health`; empty for a whole one."""
        name = self.command.removesuffix(DEMO)
        return "" if name in ("run", "demo") else name
