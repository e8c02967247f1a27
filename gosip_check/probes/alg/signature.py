"""Which kind of SIP ALG leaves these traces, and whose? Pure: reads changed lines, never the network.

The kinds are what an installer can act on; the family is a guess from which lines changed and how, and only likely.
Sources: Linux net/netfilter/nf_nat_sip.c; Juniper and Fortinet documentation name Call-ID among what they translate;
README of ibc/sip-alg-detector shows a proxying ALG.
"""

from collections.abc import Collection
from enum import StrEnum

from gosip_check.wire.rewriting import Change
from gosip_check.wire.sip import split_list


class AlgKind(StrEnum):
    """What the ALG does. nat-only: addresses are translated and SIP is left alone, as it should be."""

    REWRITES_REQUEST = "rewrites-request"
    REWRITES_REPLY = "rewrites-reply"
    PROXY = "proxy"
    DROPS = "drops"
    DIVERTS = "diverts"
    NAT_ONLY = "nat-only"


class AlgFamily(StrEnum):
    """Whose changes they are like. The values are those of `families` in checklists/remedies.toml."""

    NETFILTER = "netfilter"
    CALL_ID = "call-id"
    PROXY = "proxy"


FAMILY_NAMES = {
    AlgFamily.NETFILTER: "Linux, OpenWrt, UniFi, MikroTik and most home routers",
    AlgFamily.CALL_ID: "FortiGate or Juniper SRX",
    AlgFamily.PROXY: "an ALG that works as a SIP proxy",
}

_NETFILTER_LINES = {
    "request line", "Via", "Contact", "From", "To", "Content-Length", "SDP o=", "SDP c=", "SDP m=",
}  # fmt: skip


def kind_of_changes(changes: Collection[Change], *, in_reply: bool) -> AlgKind:
    """A Via put in, a hop counted in Max-Forwards or lines moved about are a proxy's doing; else something rewrites."""
    if _is_proxy(changes):
        return AlgKind.PROXY
    return AlgKind.REWRITES_REPLY if in_reply else AlgKind.REWRITES_REQUEST


def family_of(changes: Collection[Change], local: tuple[str, int]) -> AlgFamily | None:
    """The likely family. `local` is the address and port that the message was sent from; None where nothing fits."""
    if _is_proxy(changes):
        return AlgFamily.PROXY
    where = {change.where for change in changes}
    if "Call-ID" in where:
        return AlgFamily.CALL_ID
    if any(name.startswith("SDP") for name in where) and not {"Via", "Contact"} & where:
        return AlgFamily.PROXY  # netfilter never changes SDP alone
    if where and where <= _NETFILTER_LINES and all(_only_the_address(change, local) for change in changes):
        return AlgFamily.NETFILTER
    return None


def _is_proxy(changes: Collection[Change]) -> bool:
    return any(
        _is_one_more_via(change) or change.where in ("Max-Forwards", "order of lines") or _spelled_differently(change)
        for change in changes
    )


def _is_one_more_via(change: Change) -> bool:
    """On a line of its own, or in one line with ours, which means the same (RFC 3261 7.3.1)."""
    if change.where != "Via" or change.after is None:
        return False
    return change.before is None or len(split_list(change.after, ",")) > len(split_list(change.before, ","))


def _spelled_differently(change: Change) -> bool:
    """The same header under another spelling: `max-forwards`, `Content-Length:   254`."""
    if change.before is None or change.after is None or change.where.startswith(("SDP", "request", "body")):
        return False
    (before, _, value), (after, _, other) = change.before.partition(":"), change.after.partition(":")
    return before != after or (value.strip() == other.strip() and value != other)


def _only_the_address(change: Change, local: tuple[str, int]) -> bool:
    """The line was changed where our own address stood in it; Content-Length follows from that."""
    if change.where in ("Content-Length", "SDP m="):
        return True
    return change.before is not None and change.after is not None and local[0] in change.before
