"""Sentences that a person reads are short and in the words of today: `python -m tests.words` lists them all."""

import functools
import re

import pytest

from gosip_check.remedies import remedies
from gosip_check.report.sentences import first_sentence, sentences
from tests.words import BANNED, MOST_WORDS, Said, all_said


@functools.cache
def said() -> list[Said]:
    """All of them, read once."""
    return all_said()


LONGER: dict[str, str] = {}
"How a sentence begins that has more words -> why it must."


def test_there_are_sentences_of_every_kind() -> None:
    places = {each.where.partition(":")[0].partition("/")[0] for each in said()}
    assert {"go-native.toml", "go-gateway.toml", "remedies.toml", "cli", "probes", "report", "judge.py"} <= places
    assert len(said()) > 1000


def test_no_sentence_is_too_long() -> None:
    long = [each for each in said() if each.words > MOST_WORDS and not each.text.startswith(tuple(LONGER) or "\0")]
    assert [f"{each.words} {each.where}: {each.text}" for each in long] == []


@pytest.mark.parametrize("words", BANNED)
def test_no_sentence_is_in_words_of_another_time(words: str) -> None:
    banned = re.compile(rf"\b{words}\b", re.IGNORECASE)
    assert [f"{each.where}: {each.text}" for each in said() if banned.search(re.sub(r"`[^`]*`", "", each.text))] == []


def test_words_are_counted_as_a_reader_counts_them() -> None:
    assert Said("", "Type `dig SRV {}`, then wait.").words == 4
    assert Said("", "{} of {} servers - and no more.").words == 7


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two three. Four?", ["One.", "Two three.", "Four?"]),
        ("Since 6.5 it is off. `reboot` now.", ["Since 6.5 it is off.", "`reboot` now."]),
        ("at 192.168.1.1. Then", ["at 192.168.1.1.", "Then"]),
        ("no end", ["no end"]),
        ("", []),
    ],
)
def test_where_a_sentence_ends(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts
    assert first_sentence(text) == (parts or [""])[0]


def test_steps_of_a_remedy_begin_small_and_end_open() -> None:
    """They follow on `On DEVICE:`, and the full stop is added."""
    assert [remedy.device for remedy in remedies() if remedy.steps.endswith(".")] == []
