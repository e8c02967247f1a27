"""After how much silence was a binding still there, or gone? What the ways to find out have in common."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Lifetimes:
    """alive, gone: waits after which an answer came, or none did. A wait in neither could not be tried.

    understood: the far end knows how to wait, or stands here; None without any answer. steady: a flow beside them that
    was never silent for long kept its binding; where not, the line or the far end was away for a while.
    """

    alive: list[float]
    gone: list[float]
    understood: bool | None
    steady: bool = True
