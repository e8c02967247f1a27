"""Charts as SVG, by hand: no script, no font to fetch, nothing outside. Draws what it is given and decides nothing.

Every text goes through `visible` and is escaped. Sizes are in units of a picture 400 wide, which a phone shows at about
its own width; the styles are in the page (`page.html`), and as attributes where a PDF needs them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from gosip_check.report.text import visible

WIDTH = 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 20, 24
_LABEL = 13
"Text that stands closer to other text than this overlaps it."
_FARTHEST = 10
"A limit more often than this above everything measured is written, not drawn: the line would lie flat on the axis."
COLOURS = ("#0b5cad", "#b35900", "#5b3a9b", "#1d7a4f", "#7a1d4f", "#4f5b66")
_RED, _GREY, _TEXT, _QUIET = "#b3261e", "#c9ced4", "#333333", "#56606a"
FONT = "system-ui, 'DejaVu Sans', 'DejaVu Sans Mono', sans-serif"


@dataclass(frozen=True)
class Curve:
    """Points of a chart, from left to right."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Limit:
    """A value that is not to be exceeded, and what it is called."""

    value: float
    label: str


@dataclass(frozen=True)
class Step:
    """One station of a path. trouble: what happened there, empty where nothing did."""

    name: str
    remark: str
    trouble: str = ""


def line_chart(
    title: str,
    unit: str,
    curves: Sequence[Curve],
    limits: Sequence[Limit] = (),
    start: float = 0,
    across: str = "{:g} s",
) -> Markup:
    """Values from `start` on, with their limits drawn in. across: how a point on the axis is named."""
    height, legend = 170, 16 * ((len(curves) + 1) // 2)
    end = max((x for curve in curves for x, _ in curve.points), default=start)
    width = end - start or 1.0
    peak = max((y for curve in curves for _, y in curve.points), default=0)
    drawn = sorted((limit for limit in limits if peak <= 0 or limit.value <= peak * _FARTHEST), key=lambda x: -x.value)
    top = _nice(max([peak * 1.05, *(limit.value * 1.15 for limit in drawn)]))

    def at(x: float, y: float) -> tuple[float, float]:
        right = _LEFT + (WIDTH - _LEFT - _RIGHT) * (x - start) / width
        return round(right, 1), round(height - _BOTTOM - (height - _TOP - _BOTTOM) * max(0.0, y) / top, 1)

    parts = [*_grid(height, top, unit), _text(WIDTH - _RIGHT, height - 8, across.format(end), "end")]
    if start:
        parts.append(_text(_LEFT, height - 8, across.format(start)))
    for number, curve in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        points = [at(x, y) for x, y in curve.points]
        if len(points) <= 20:
            parts += [Markup('<circle cx="{}" cy="{}" r="2.5" fill="{}"/>').format(x, y, colour) for x, y in points]
        path = " ".join(f"{x},{y}" for x, y in points)
        parts.append(Markup('<polyline points="{}" fill="none" stroke="{}" stroke-width="1.2"/>').format(path, colour))
        right, below = _LEFT + number % 2 * 180, height + 8 + number // 2 * 16
        parts.append(Markup('<rect x="{}" y="{}" width="10" height="4" fill="{}"/>').format(right, below, colour))
        parts.append(_text(right + 14, below + 6, curve.name))
    free = _TOP + 6.0
    for limit in drawn:  # from the top down, each label under the one before where there is no room above its line
        _, down = at(start, limit.value)
        label_at, free = max(down - 3, free), max(down - 3, free) + _LABEL
        colour = _RED if peak > limit.value else _QUIET  # nothing is wrong below it
        parts.append(
            Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="{}" stroke-dasharray="5 3"/>').format(
                _LEFT, WIDTH - _RIGHT, down, down, colour
            )
        )
        parts.append(_text(WIDTH - _RIGHT, label_at, limit.label, "end", colour))
    for limit in [limit for limit in limits if limit not in drawn]:
        parts.append(_text(_LEFT, height + legend + 10, f"far above this picture: {limit.label}", colour=_QUIET))
        legend += 16
    return _svg(title, height + legend + 4, parts)


def histogram(title: str, unit: str, low: float, high: float, counts: Sequence[int], beyond: str) -> Markup:
    """How often which value was measured, in equal steps from `low` to `high`. beyond: says what lies above."""
    height, top = 150, max(counts)
    bar = (WIDTH - _LEFT - _RIGHT) / len(counts)
    parts = [*_grid(height, top, ""), _text(_LEFT, height - 8, f"{low:.4g} {unit}")]
    parts.append(_text(WIDTH - _RIGHT, height - 8, f"{high:.4g} {unit}", "end"))
    parts.append(_text(_LEFT, height + 8, beyond))
    for number, count in enumerate(counts):
        tall = round((height - _TOP - _BOTTOM) * count / top, 1)
        parts.append(
            Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}" fill="{}"/>').format(
                _LEFT + bar * number, height - _BOTTOM - tall, bar * 0.9, tall, COLOURS[0]
            )
        )
    return _svg(title, height + 14, parts)


def strip(title: str, shares_pct: Sequence[float]) -> Markup:
    """A cell for each channel, the redder the more it lost."""
    columns = min(len(shares_pct), 50)
    side = (WIDTH - 16) / max(columns, 10)
    rows = -(-len(shares_pct) // columns)
    parts = []
    for number, share in enumerate(shares_pct):
        strength = 0.0 if share <= 0 else min(1.0, 0.2 + share / 5)
        parts.append(
            Markup(
                '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}" fill-opacity="{:.2f}" '
                'stroke="{}" stroke-width="0.5"><title>{}</title></rect>'
            ).format(
                8 + number % columns * side, _TOP + number // columns * side, side - 1, side - 1,
                _RED if share > 0 else "#1d7a4f", strength if share > 0 else 0.25, _GREY,
                f"channel {number + 1}: {share:.3g} %",
            )
        )  # fmt: skip
    lossy = sum(share > 0 for share in shares_pct)
    sentence = f"{lossy} of {len(shares_pct)} channels lost packets; the worst lost {max(shares_pct):.3g} %"
    parts.append(_text(8, _TOP + rows * side + 12, sentence))
    return _svg(title, round(_TOP + rows * side + 20), parts)


def way(title: str, steps: Sequence[Step]) -> Markup:
    """The stations from the site to the provider, one under the other."""
    parts: list[Markup] = []
    down = _TOP + 14
    for number, step in enumerate(steps):
        colour = _RED if step.trouble else COLOURS[3]
        if number + 1 < len(steps):
            tall = 38 if step.trouble else 24
            parts.append(
                Markup('<line x1="16" x2="16" y1="{}" y2="{}" stroke="{}" stroke-width="2"/>').format(
                    down, down + tall, _GREY
                )
            )
        parts.append(Markup('<circle cx="16" cy="{}" r="5" fill="{}"/>').format(down, colour))
        parts.append(_text(28, down + 4, f"{visible(step.name, 40)}  {visible(step.remark, 30)}"))
        if step.trouble:
            parts.append(_text(28, down + 18, visible(step.trouble, 62), colour=_RED))
            down += 14
        down += 24
    return _svg(title, down, parts)


def _grid(height: int, top: float, unit: str) -> list[Markup]:
    parts = []
    for share in (0, 0.5, 1):
        down = height - _BOTTOM - (height - _TOP - _BOTTOM) * share
        parts.append(
            Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="{}" stroke-width="0.7"/>').format(
                _LEFT, WIDTH - _RIGHT, down, down, _GREY
            )
        )
        parts.append(_text(_LEFT - 4, down + 4, f"{top * share:.4g} {unit}".strip(), "end"))
    return parts


def _text(across: float, down: float, text: str, anchor: str = "start", colour: str = _TEXT) -> Markup:
    """With a white rim, so that it can be read on a line too."""
    return Markup(
        '<text x="{:.1f}" y="{:.1f}" text-anchor="{}" fill="{}" font-size="10.5" stroke="#ffffff" stroke-width="3" '
        'stroke-linejoin="round" paint-order="stroke">{}</text>'
    ).format(across, down, anchor, colour, visible(text, 80))


def _svg(title: str, height: int, parts: Sequence[Markup]) -> Markup:
    head = Markup('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" role="img" font-family="{}">').format(
        WIDTH, height, FONT
    )
    name = Markup("<title>{}</title>").format(escape(visible(title)))
    heading = Markup('<text x="8" y="12" font-size="11.5" font-weight="bold" fill="{}">{}</text>').format(
        _TEXT, visible(title, 60)
    )
    return Markup("").join([head, name, heading, *parts, Markup("</svg>")])


def _nice(value: float) -> float:
    """The next larger number of those that people like on an axis."""
    if value < 1e-9:  # less than anything that is measured, and too small to be divided further
        return 1.0
    size = 1.0
    while size * 10 <= value:
        size *= 10
    while size > value:
        size /= 10
    return next(step * size for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * size >= value)
