"""Sentences about what echoes showed: a person's sentence, then the figures, how far, and what is left open. Pure.

They say what was seen and never whether it suffices: the same sentence stands beside a pass and beside a fail.
"""

from collections.abc import Collection, Sequence

from gosip_check.probes.media import politeness
from gosip_check.probes.media.e_model import FORMULA
from gosip_check.probes.media.echo_facts import Losses
from gosip_check.probes.media.echo_load import Echoed
from gosip_check.probes.media.echo_rule import Doubt, Finding, Load, Shape
from gosip_check.probes.media.transfer import Transfer
from gosip_check.probes.net.echo import ALLOW_ALL

NOT_ALLOWED = (
    f"This user may not send ICMP echoes (ping), so nothing was measured with them. `sudo {ALLOW_ALL}` allows it until "
    "the next start; running gosip-check with sudo does as well."
)
GENTLE = "With --gentle nothing is sent but round trips."
_FAR_MS = 50.0
DECIDES = "A reflector decides it (--reflector HOST)."


def scope(echoed: Echoed, way_ends_at: int | None) -> str:
    """How far it was measured. way_ends_at: at which hop the provider answered, where it did."""
    assert echoed.hop is not None
    hop = echoed.hop.hop
    return f"as far as hop {hop.ttl}, {hop.address}" + (f", of {way_ends_at}" if way_ends_at else "")


def bandwidth(echoed: Echoed, need_kbps: float, far: str) -> str:
    """What the load showed. far: see `scope`."""
    finding, load = echoed.finding, echoed.load
    if finding is None or load is None:
        return f"{echoed.trouble or NO_LARGE_ECHO} {DECIDES}"
    sent = f"{load.pps:.0f} echoes of {load.octets} octets a second, there and back"
    if finding.shape is Shape.UNKNOWN:
        assert finding.doubt is not None
        return f"{_DOUBTS[finding.doubt]} So nothing is known of {load.kbps:.0f} kb/s, {far} ({sent}). {DECIDES}"
    if finding.shape is Shape.CARRIED:
        return _carried(finding, load, need_kbps, far, sent)
    seconds = f"in {load.seconds:g} s"
    if finding.shape is Shape.LOSSY:
        return f"The line loses large packets at half the rate, too: errors, not too little speed, {far}. {DECIDES}"
    left_kbps = load.kbps * (1 - sum(finding.short_of) / len(finding.short_of))
    text = f"The line carries some {left_kbps:.0f} of {load.kbps:.0f} kb/s, {far}"
    if finding.shape is Shape.NARROW:
        text += (
            f": round trips rose with every load and fell after it, and {_percent(finding.short_of)} of it was not "
            f"carried {seconds}."
        )
    else:
        text += (
            f": {_percent(finding.short_of)} of the load was lost {seconds} while round trips stayed as they were, and "
            "less at half the rate. Something on the line drops what is above a rate (a policer, or a tiny queue)."
        )
    text += " This is what others on the line left at that time."
    if echoed.uplink_suffers:
        return f"{text} A load that only went up met the same, so the way up is short."
    return f"{text} The direction cannot be seen from here."


def transfers(seen: Sequence[Transfer], carrying: Collection[str], need_kbps: float) -> str:
    """What a download and an upload carried. carrying: the directions that they prove."""
    text = ""
    if {"up", "down"} <= set(carrying):
        text = "The line carries the calls both ways, as far as the servers of the URLs. "
    elif carrying:
        other, option = ("up", "--upload URL") if "down" in carrying else ("down", "--download URL")
        text = f"The line carries the calls {next(iter(carrying))}; {other} is not known. {option} would decide it. "
        if len(seen) > 1:
            text = f"The line carries the calls {next(iter(carrying))}; {other} is not known. "
    for each in sorted(seen, key=lambda one: one.way):
        name = "Download" if each.way == "down" else "Upload"
        if each.seconds:
            text += f"{name} from {each.url}: " if each.way == "down" else f"{name} to {each.url}: "
            text += f"at least {each.kbps:.0f} of {need_kbps:.0f} kb/s at IP for {each.seconds:.1f} s. "
        text += f"{each.trouble} " if each.trouble and each.way not in carrying else ""
        if each.seconds and each.way not in carrying:
            text += "Less than is needed may be the server's doing, so it proves nothing. "
    return text.rstrip()


def loss(lost: Losses, far: str) -> str:
    """What so many echoes prove of loss."""
    low, high = lost.worse_way
    text = f"Of {lost.of} echoes {lost.lost} were lost there and back, {far}: "
    if not lost.lost:
        return f"{text}so each direction loses less than {high:.2g} %."
    text += f"the worse direction loses between {low:.2g} % and {high:.2g} %."
    if lost.before_the_line:
        return f"{text} This site's own router loses as many, so they are lost before the line. Use a cable, not Wi-Fi."
    if not lost.low:
        text += " Some or all of it may be the router's own doing: nothing farther on shows the same."
    return text


def bursts(most_pct: float, far: str) -> str:
    """The worst 200 ms."""
    return f"Of a stream of one call, {most_pct:.0f} % were lost in the worst 200 ms there and back, {far}."


def jitter(low_ms: float | None, high_ms: float | None, far: str) -> str:
    """Jitter of round trips, and what it says of one direction."""
    if low_ms is None or high_ms is None:
        return "No echo came back, so there is no jitter to measure."
    return (
        f"Jitter (RFC 3550) of round trips at the pace of a call is {high_ms:.3g} ms p99, {far}: no direction has more"
        + (f", and the worse one at least {low_ms:.3g} ms." if low_ms >= 0.05 else ".")
    )


def far_away(least_ms: float) -> str:
    """What hosts behind the edge take at least, where that is much; nothing where it is not known."""
    return f" No host behind the edge answered in less than {least_ms:.0f} ms." if least_ms >= _FAR_MS else ""


def mos(low: float | None, high: float | None, far: str) -> str:
    """The score's bounds, and what they assume."""
    if low is None or high is None:
        return "There is no round trip that a call's score could be worked out from."
    return (
        f"MOS between {low:.2f} and {high:.2f}, {far}. Losses farther on would make it worse. "
        f"Assumed are G.711 with loss concealment and a jitter buffer of 40 ms. {FORMULA}."
    )


def _carried(finding: Finding, load: Load, need_kbps: float, far: str, sent: str) -> str:
    text = f"The line carried {load.kbps:.0f} kb/s for {load.seconds:g} s both ways at once, {far} ({sent})."
    if finding.by_witness:
        text += " The router there was slower with its own answers; the next one showed that the line is not."
    if load.kbps < need_kbps - 0.5:
        text += (
            f" {need_kbps:.0f} kb/s are needed, but a router gets at most {politeness.LOAD.pps:.0f} packets a second, "
            f"and fewer where it is busy. {DECIDES}"
        )
    return text


def _percent(shares: Sequence[float]) -> str:
    low, high = f"{100 * min(shares):.1f}", f"{100 * max(shares):.1f}"
    return f"{low} %" if low == high else f"{low} to {high} %"


NO_LARGE_ECHO = "The router behind the edge answers small echoes only, so no load could be sent to it."

_DOUBTS = {
    Doubt.LATE: "This machine was too busy to send the load evenly.",
    Doubt.SILENT: "The router that was measured by fell silent, or the edge device did, so the load was ended.",
    Doubt.RATIONS: "The router that was measured by rations its answers, small ones as well.",
    Doubt.UNSTEADY: "What was seen changed between one load and the next, as other people's traffic does.",
    Doubt.COMES_AND_GOES: "Some loads met a queue and others did not: other traffic comes and goes.",
    Doubt.TWICE_IN_DOUBT: "Two loads showed neither a line that carries them nor one that does not.",
    Doubt.ECHOES: (
        "Echoes above a rate were lost, but packets that only went up cost none of them. A limit on echoes alone looks "
        "like that, and so does a limit on the way down."
    ),
    Doubt.LIMIT: f"More than {politeness.LOAD.seconds:.0f} s of load would be needed, which is not polite to a router.",
}
