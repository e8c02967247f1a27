"""Every sentence that the tool says to a person, with its number of words: `python -m tests.words [LEAST]` lists them.

Read from the data (checklists, remedies) as they are filled in, and from the code as it is written: what stands in
quotes and ends as a sentence does. A {field} counts as one word, and so does code in backticks. Docstrings are for
those who read the code, and not among them.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from gosip_check.checklist import load_file, shipped
from gosip_check.records import Requirement
from gosip_check.remedies import remedies
from gosip_check.report.sentences import sentences

PACKAGE = Path(__file__).parents[1] / "gosip_check"
MOST_WORDS = 20
BANNED = (
    "mend", "anew", "told", "lacks", "is none", "handwriting", "disciplines", "unless told", "is no number", "amiss",
)  # fmt: skip
"Words of another time, or of nobody who works on a site."

_WORD = re.compile(r"[^\s]+")
_LETTERS = re.compile(r"[A-Za-z]{2}")
_FIELD = "{}"


@dataclass(frozen=True)
class Said:
    """One sentence, and where it stands."""

    where: str
    text: str

    @property
    def words(self) -> int:
        """Code in backticks is one word; marks that stand alone are none."""
        plain = re.sub(r"`[^`]*`", "code", self.text)
        return sum(any(character.isalnum() or character in "{}" for character in word) for word in _WORD.findall(plain))

    @property
    def grade(self) -> float:
        """Flesch-Kincaid's grade of this sentence alone: years at school."""
        words = re.findall(r"[A-Za-z]+", self.text) or ["a"]
        syllables = sum(max(1, len(re.findall(r"[aeiouy]+", word.lower().removesuffix("e")))) for word in words)
        return 0.39 * len(words) + 11.8 * syllables / len(words) - 15.59


def all_said() -> list[Said]:
    """Each sentence once, data before code."""
    found = [*_of_checklists(), *_of_remedies(), *_of_code()]
    return list({(said.where.partition(":")[0], said.text): said for said in found}.values())


def _of_checklists() -> Iterator[Said]:
    for path in shipped().values():
        for requirement in load_file(path).requirements:
            for text in _texts(requirement):
                yield from _sentences(f"{path.name}: {requirement.id}", text)


def _texts(requirement: Requirement) -> Iterator[str]:
    titles = requirement.titles
    for texts in (requirement.title, titles.fail, titles.warn, titles.unknown, requirement.means):
        yield from [texts] if isinstance(texts, str) else texts
    yield from (requirement.hint, *requirement.hint_if.values(), *requirement.decided_by.values())
    for decides in requirement.decided_if.values():
        yield from decides.values()
    yield from (requirement.why, requirement.how, requirement.unseen, requirement.by_hand)


def _of_remedies() -> Iterator[Said]:
    for remedy in remedies():
        yield from _sentences(f"remedies.toml: {remedy.device}", remedy.words)


def _of_code() -> Iterator[Said]:
    for path in sorted(PACKAGE.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        inside = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        for node in nodes:
            if id(node) in docstrings or (id(node) in inside and not isinstance(node, ast.JoinedStr)):
                continue
            text = _literal(node)
            if text and _is_a_sentence(text):
                yield from _sentences(f"{path.relative_to(PACKAGE)}:{node.lineno}", text)  # type: ignore[attr-defined]


def _literal(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else _FIELD for part in node.values)
    return None


def _is_a_sentence(text: str) -> bool:
    """Several words, and a full stop or a capital: no pattern, no template of a program, no name."""
    is_of_words = len(re.findall(r"[A-Za-z]{2,}", text)) >= 4
    return is_of_words and ". " in f"{text.strip()} " and "\n" not in text.strip() and "\\" not in text


def _sentences(where: str, text: str) -> Iterator[Said]:
    """A field after a full stop begins a sentence as well."""
    for part in re.split(r"(?<=[.!?]) (?=\{)", text.strip()):
        for sentence in sentences(part):
            if _LETTERS.search(sentence):
                yield Said(where, sentence)


def main() -> None:
    """The list, longest first, and the median reading grade."""
    least = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    said = sorted(all_said(), key=lambda each: -each.words)
    for each in said:
        if each.words >= least:
            print(f"{each.words:3}  {each.where}: {each.text}")
    words, grade = median(each.words for each in said), median(each.grade for each in said)
    print(f"{len(said)} sentences, median {words:.0f} words, grade {grade:.1f}")


if __name__ == "__main__":
    main()
