"""The colours of the terminal: words of a state as a pair of foreground and background, everything else its own.

Of the 16 colours that a terminal's owner may set. Each pair has a contrast of at least 4.5 to 1 (WCAG 2.1, 1.4.3) in
the palettes of xterm, GNOME and Tango, which a test computes. Black is never bold: some terminals make it grey.
"""

from gosip_check.records import Outcome, Readiness

_GOOD, _BAD = "black on bright_green", "bold bright_white on red"
_CARE, _OPEN = "black on bright_yellow", "black on bright_cyan"

OF_OUTCOME = {
    Outcome.PASS: _GOOD,
    Outcome.WARN: _CARE,
    Outcome.FAIL: _BAD,
    Outcome.UNKNOWN: _OPEN,
    Outcome.SKIPPED: "",
}
OF_READINESS = {Readiness.READY: _GOOD, Readiness.NOT_READY: _BAD, Readiness.INCONCLUSIVE: _CARE}
