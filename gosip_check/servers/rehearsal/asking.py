"""What only the installer can hear or see. He is asked in a thread of its own: the trunk goes on meanwhile."""

import queue
import threading
from collections.abc import Callable

from gosip_check.servers.rehearsal.world import Later

Say = Callable[[str], None]
"What he must do now, or what was just seen: a sentence. It must return at once."

Ask = Callable[[str, str], bool | None]
"(question, its text) -> yes, no, or None where nobody answered in time. It may wait, for as long as it likes."

QUESTIONS = {
    "incoming-number": "Did the phone show the number {number}?",
    "routes-by-to": "Did each of the two numbers ring its own phone?",
    "dtmf-receives": "Did you hear three key tones after the melody?",
    "early-media": "Did you hear a melody before the call was answered?",
    "forward-set": "Forward every call to {number} to {other} now. Is the forwarding set?",
    "trunk-off": "Is the trunk switched off now?",
}
"Question -> what is asked. The answers are judged under these names (heard.Heard.answers)."


class Questions:
    """Asks one after the other. answered: called in the other thread after each, to wake up who waits.

    later: does in its own time what it is given, where `ask` does not wait and there is no thread.
    """

    def __init__(self, ask: Ask, answered: Callable[[], None], later: Later | None = None) -> None:
        self.ask, self._answered, self._later = ask, answered, later
        self._asked: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.answers: dict[str, bool] = {}
        self.is_open: set[str] = set()
        "Asked, and neither answered nor given up."

    def put(self, question: str, **values: str) -> None:
        """Ask it when those before it are done. An answer that comes late counts all the same."""
        self.is_open.add(question)
        text = QUESTIONS[question].format(**values)
        if self._later is not None:
            self._later(lambda: self._answer(question, text))
            return
        self._asked.put((question, text))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            self._answer(*self._asked.get())

    def _answer(self, question: str, text: str) -> None:
        try:
            answer = self.ask(question, text)
            if answer is not None:
                # What is asked twice is so where it is so both times.
                self.answers[question] = answer and self.answers.get(question, True)
        finally:
            self.is_open.discard(question)
            self._answered()
