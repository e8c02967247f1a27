"""Sentences about what a second line of this machine showed, and what that says of the line under test. Pure."""

from gosip_check.probes.media.stream_facts import StreamFacts


def evidence(line: str, path: str, echoes: str | None) -> str:
    """path: what both lines together showed; echoes: what a hop behind the own edge showed, where that counts."""
    text = f"To the second line {line}, over both lines together: {path}"
    return f"{text} This line alone: {echoes}" if echoes else text


def bandwidth(line: str, path: str, echoes: str | None, *, carried: bool) -> str:
    """carried: by both lines together, so by each of them."""
    if carried:
        return f"This line carries the calls, and so does the second line {line}. Over both together: {path}"
    return evidence(line, f"{path} Which of the two carries less is not seen from that.", echoes)


def dscp(line: str, path: str, survives: bool | None) -> str:
    """Whether the marking survived."""
    text = f"To the second line {line}: {path}"
    return f"{text} Which of the two lines changed it is not known." if survives is False else text


def delays(line: str, stream: StreamFacts) -> str:
    """One way each, by one clock."""
    up, down = stream.delay_up_ms, stream.delay_down_ms
    if up is None or down is None:
        return "No packet came back, or the clock was moved, so no delay of one direction is known."
    return (
        f"One way up to the second line {line}: {up.p50:.1f} ms in the middle, {up.p95:.1f} ms p95. "
        f"Down from it: {down.p50:.1f} ms and {down.p95:.1f} ms."
    )


def cannot(sentence: str, reason: str) -> str:
    """Why there is no second line, and no reflector either."""
    return f"The second line was not used. {sentence} {reason}"
