"""ITU-T G.107, the E-model, narrowband, in full: R and MOS from delay, loss and the codec. Pure.

The formulas are those of G.107 (06/2015) with the delay sensitivity of later editions (sT, mT); names are the
Recommendation's own. Only the published R = 93.2 for all defaults could be checked against the ITU; see the tests.
"""

from math import exp, isfinite, log2, log10, pow, sqrt

from gosip_check.records import Record

FORMULA = "ITU-T G.107 (06/2015) narrowband, full, sT = 1, mT = 100 ms"


class Codec(Record, frozen=True):
    """What G.113 says of a codec: `ie` its impairment without loss, `bpl` its robustness against loss."""

    name: str
    ie: float
    bpl: float


G711_PLC = Codec(name="G.711 with packet loss concealment (G.113 App. I)", ie=0, bpl=25.1)
G711 = Codec(name="G.711 without packet loss concealment", ie=0, bpl=4.3)


class Inputs(Record, frozen=True):
    """What was put into the model; everything else has G.107's default.

    ta_ms: one-way delay mouth to ear. ppl_pct: packets lost. burst_ratio: 1 for random loss.
    """

    ta_ms: float
    ppl_pct: float
    burst_ratio: float
    codec: Codec
    formula: str = FORMULA

    @property
    def are_possible(self) -> bool:
        """No delay is below zero, no share above all, no ratio of lengths below zero; and each is a finite number."""
        values = (self.ta_ms, self.ppl_pct, self.burst_ratio)
        return all(map(isfinite, values)) and self.ta_ms >= 0 and 0 <= self.ppl_pct <= 100 and self.burst_ratio > 0


class Quality(Record, frozen=True):
    """The rating R, 0 to 100, and the mean opinion score it stands for, 1 to 4.5."""

    r_factor: float
    mos: float


# Defaults of G.107 table 2
_SLR, _RLR, _STMR, _DS, _TELR, _WEPL, _QDU = 8.0, 2.0, 15.0, 3.0, 65.0, 110.0, 1.0
_NC, _NFOR, _PS, _PR, _A = -70.0, -64.0, 35.0, 35.0, 0.0
_LSTR = _STMR + 3.0
_MT_MS, _ST = 100.0, 1.0


def quality(inputs: Inputs) -> Quality | None:
    """R, clamped at 0, and MOS; None where the inputs are not possible, as a far end with a wrong clock makes them.

    The echo path is taken as G.107 has it by default: T = Ta, Tr = 2 Ta, TELR = 65 dB.
    """
    if not inputs.are_possible:
        return None
    no = _noise()
    ro = 15 - 1.5 * (_SLR + no)
    ta = inputs.ta_ms
    r = ro - _simultaneous(no, ro, ta) - _delay(no, ro, ta) - effective_equipment_impairment(inputs) + _A
    r = max(0.0, r)
    return Quality(r_factor=r, mos=mos(r))


def mos(r: float) -> float:
    """G.107 Annex B; the cubic falls below 1 for R under 6.5, where it is held at 1."""
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6) if r > 0 else 1.0


def effective_equipment_impairment(inputs: Inputs) -> float:
    """Ie,eff: what loss adds to the codec's own impairment."""
    ppl, codec = inputs.ppl_pct, inputs.codec
    return codec.ie + (95 - codec.ie) * ppl / (ppl / inputs.burst_ratio + codec.bpl)


def _noise() -> float:
    olr = _SLR + _RLR
    nos = _PS - _SLR - _DS - 100 + 0.004 * (_PS - olr - _DS - 14) ** 2
    pre = _PR + 10 * log10(1 + pow(10, (10 - _LSTR) / 10))
    nor = _RLR - 121 + pre + 0.008 * (pre - 35) ** 2
    nfo = _NFOR + _RLR
    return 10 * log10(sum(pow(10, level / 10) for level in (_NC, nos, nor, nfo)))


def _sidetone(t: float) -> float:
    stmro = -10 * log10(pow(10, -_STMR / 10) + exp(-t / 4) * pow(10, -_TELR / 10))
    return (
        12 * pow(1 + ((stmro - 13) / 6) ** 8, 1 / 8)
        - 28 * pow(1 + ((stmro + 1) / 19.4) ** 35, 1 / 35)
        - 13 * pow(1 + ((stmro - 3) / 33) ** 13, 1 / 13)
        + 29
    )


def _simultaneous(no: float, ro: float, t: float) -> float:
    """Is: loudness, sidetone, quantising."""
    xolr = _SLR + _RLR + 0.2 * (64 + no - _RLR)
    iolr = 20 * (pow(1 + (xolr / 8) ** 8, 1 / 8) - xolr / 8)
    q = 37 - 15 * log10(_QDU)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    y = (ro - 100) / 15 + 46 / 8.4 - g / 9
    z = 46 / 30 - g / 40
    iq = 15 * log10(1 + pow(10, y) + pow(10, z))
    return iolr + _sidetone(t) + iq


def _delay(no: float, ro: float, ta: float) -> float:
    """Id: talker echo, listener echo, and the delay itself."""
    roe = -1.5 * (no - _RLR)
    # A product that is too large becomes infinite and its exponential 0; a power would raise OverflowError.
    terv = _TELR - 40 * log10((1 + ta / 10) / (1 + ta / 150)) + 6 * exp(-0.3 * ta * ta)
    re = 80 + 2.5 * (terv - 14)
    idte = ((roe - re) / 2 + sqrt((roe - re) ** 2 / 4 + 100) - 1) * (1 - exp(-ta))
    rle = 10.5 * (_WEPL + 7) * pow(2 * ta + 1, -0.25)
    idle = (ro - rle) / 2 + sqrt((ro - rle) ** 2 / 4 + 169)
    return idte + idle + _pure_delay(ta)


def _pure_delay(ta: float) -> float:
    """Idd."""
    if ta <= _MT_MS:
        return 0.0
    x, power = log2(ta / _MT_MS), 6 * _ST
    return 25 * (pow(1 + pow(x, power), 1 / power) - 3 * pow(1 + pow(x / 3, power), 1 / power) + 2)
