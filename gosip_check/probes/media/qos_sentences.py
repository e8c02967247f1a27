"""What was seen of voice beside a load, in sentences. Judges nothing."""

from gosip_check.probes.media.qos_load import Load, Sent
from gosip_check.probes.media.qos_rule import ECHOES, FEWEST_QUOTES, Found, Share, Stream, Why

NO_HOP = "No router behind the edge can be measured by just now. What a full line does to voice is open."
NO_ECHOES = "No router behind the edge answers echoes (ping). What a full line does to voice is open."
LATE = "This machine was too busy to send evenly. Close other programs and run it with `--under-load` again."
_FILLS_MORE = {
    "packets": "`gosip-check run --under-load --upload URL` fills a faster line. `--far-end-link` may as well.",
    "second line": "`gosip-check run --under-load --upload URL` fills a faster line.",
    "upload": "Another server (`--upload URL`) may take more.",
}

_STOPPED = {
    "loses": "The router {} loses small packets on the idle line, so no load was sent.",
    "silent": "The router {} fell silent under the load, so it was ended at once.",
    "elsewhere": "Packets that should die at {} were not seen to die there, so no load is sent.",
}


def stopped(hop: str, reason: str) -> str:
    """Why a phase ended early."""
    return _STOPPED[reason].format(hop)


def too_many_loads(most_s: float) -> str:
    """A run sends loads for so many seconds only."""
    return (
        f"This run has sent so many loads that one more would be beyond {most_s:.0f} s. "
        "`gosip-check run --under-load --skip 'media.*'` measures it alone."
    )


_LOADS = {
    "upload": "uploads of {:.0f} kb/s",
    "second line": "{:.0f} kb/s to the second line",
    "packets": "a load of {:.0f} kb/s that went up",
}


def sharing(found: Found, far: str, load: Load, sent: Sent) -> str:
    """The whole of it: what happened, under which load, how far."""
    what = _LOADS[load.kind].format(sent.kbps)
    seen = _streams(found)
    beside = f"Beside {what}, {far}: {seen}." if seen else f"Beside {what}, {far}."
    trouble = f" {sent.trouble}" if sent.trouble else ""
    return f"{_said(found, _FILLS_MORE[load.kind])} {beside}{trouble} The way down was not looked at."


def _said(found: Found, fills_more: str) -> str:
    if found.sharing == "priority":
        return {
            ("mark",): "Voice goes first on a full uplink, by its mark EF.",
            ("addresses",): "Voice goes first on a full uplink, by the provider's addresses.",
            ("mark", "addresses"): "Voice goes first on a full uplink, by its mark EF and by the provider's addresses.",
        }.get(found.by, "Voice goes first on a full uplink.")
    if found.sharing == "shared fairly":
        return "A full uplink is shared fairly: small streams are not held up. No priority was seen."
    if found.sharing == "held up":
        return "Voice waits behind the load on a full uplink: neither its mark nor the provider's addresses help."
    if found.why is Why.UNEVEN:
        return "The line was uneven before the load, so the effect of the load is not clear."
    if found.why is Why.NEVER_FULL:
        return f"The line was never seen to be full, so nothing is proven. {fills_more}"
    if found.why is Why.BETWEEN:
        return "The streams were neither clearly held up nor clearly left alone, so nothing is proven."
    if found.why is Why.LESS:
        return "Voice waits less than the rest on a full uplink, but still too often. So no priority is proven."
    if found.why is Why.ONLY_LOST:
        return "Only packets that die at the router were lost, and none came late. The router itself may drop them."
    quotes = f"The router quotes fewer than {FEWEST_QUOTES} packets of each kind, so priority by address is not seen"
    if found.full:
        return f"Echoes wait on a full uplink, but calls may not. {quotes}."
    return f"Echoes were not held up. {quotes}, and no proof that the line was full. {fills_more}"


def _streams(found: Found) -> str:
    order = [stream for stream in Stream if stream in found.shares]
    shown = [stream for stream in order if found.vouched or stream in ECHOES]
    return "; ".join(_stream(stream, found.shares[stream]) for stream in shown)


def _stream(stream: Stream, share: Share) -> str:
    trip = ""
    if share.idle_ms is not None and share.loaded_ms is not None:
        trip = f", {share.idle_ms:.0f} ms to {share.loaded_ms:.0f} ms"
    return f"{stream.value} {share.held_up} of {share.sent} held up{trip}"
