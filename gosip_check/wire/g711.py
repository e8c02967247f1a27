"""G.711 A-law, written: one octet for each sample at 8000 a second. No sound is ever read here."""

import math

SAMPLES_PER_S = 8000
SILENCE = b"\xd5"
"One sample of the smallest positive value."


def alaw(sample: int) -> int:
    """A sample from -32768 to 32767 as its octet: sign, three bits of segment, four of step (ITU-T G.711, table 1a)."""
    steps = (sample if sample >= 0 else ~sample) >> 4
    segment = 0
    if steps > 15:
        segment = steps.bit_length() - 4
        steps = (steps >> segment - 1) - 16
    return (segment << 4 | steps | (0x80 if sample >= 0 else 0)) ^ 0x55


def tone(hertz: float, lasts_ms: int, peak: int = 8000) -> bytes:
    """A sine tone. A frequency of 0 is silence."""
    turn = 2 * math.pi * hertz / SAMPLES_PER_S
    count = lasts_ms * SAMPLES_PER_S // 1000
    return bytes(alaw(round(peak * math.sin(turn * number))) for number in range(count)) if hertz else SILENCE * count
