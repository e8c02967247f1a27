"""One SIP message as a file holds it, before anybody knows which of the two speakers is the PBX."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """is_sent: a log's own machine sent it (True) or received it (False); None where the file does not say.

    source, destination: None where the file does not name it. cut: the end is missing.
    """

    time_s: float | None
    transport: str
    source: tuple[str, int] | None
    destination: tuple[str, int] | None
    sip: bytes
    cut: bool
    is_sent: bool | None = None
