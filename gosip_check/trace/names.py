"""DNS in a capture: who asked for which name, and what came back. Whatever is no DNS is left out."""

from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype

MOST_LOOKUPS = 5000
_KINDS = ("A", "AAAA", "SRV", "NAPTR", "CNAME")


@dataclass
class Question:
    """One question. answers: (name, kind, data) of each record; None while no answer was seen."""

    time_s: float
    client: str
    name: str
    kind: str
    answers: list[tuple[str, str, str]] | None = None


class Questions:
    """Every question, with its answer where that was seen."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self._open: dict[tuple[str, int, str, str], Question] = {}

    def add(self, time_s: float, source: str, destination: str, payload: bytes) -> None:
        """A datagram from or to port 53."""
        if len(self.asked) >= MOST_LOOKUPS:
            return
        try:
            message = dns.message.from_wire(payload, ignore_trailing=True)
            if len(message.question) != 1:
                return
            question = message.question[0]
            name = question.name.to_text(omit_final_dot=True).lower()
            kind = dns.rdatatype.to_text(question.rdtype)
            answers = [
                (rrset.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(rrset.rdtype), _text(rdata))
                for rrset in [*message.answer, *message.additional]
                if dns.rdatatype.to_text(rrset.rdtype) in _KINDS
                for rdata in rrset
            ]
        except (dns.exception.DNSException, ValueError):
            return
        is_answer = bool(message.flags & dns.flags.QR)
        client = destination if is_answer else source
        key = (client, message.id, name, kind)
        known = self._open.get(key)
        if known is None:
            known = self._open[key] = Question(time_s, client, name, kind)
            self.asked.append(known)
        if is_answer and known.answers is None:
            known.answers = answers
            del self._open[key]


def _text(rdata: object) -> str:
    return str(rdata).lower().removesuffix(".")
