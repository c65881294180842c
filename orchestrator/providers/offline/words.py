"""What words say, as far as it can be told without understanding them."""

import builtins
import keyword
import re
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from orchestrator.providers.offline.vocabulary import VOCABULARY

_WORD: Final = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ENDINGS: Final = ("ations", "ation", "ings", "ing", "ied", "ies", "ed", "es", "ly", "s", "e", "y")
_SHORTEST_STEM: Final = 3
_LEAD: Final = re.compile(
    r"^(?:[-*•]|\d+[.)])?\s*(?:and\s+)?(?:(?:it|they|this)\s+)?"
    r"(?:(?:must|should|has to|have to|needs? to|is to|will)\s+)?(?:be\s+)?",
    re.IGNORECASE,
)

LONGEST_PHRASE: Final = 120


@lru_cache(maxsize=4096)
def stems(text: str) -> frozenset[str]:
    """The words that mean something, without their endings; identifiers are taken apart."""
    words = (word.lower() for word in _WORD.findall(_HUMP.sub(" ", text)))
    return frozenset(_stem(word) for word in words if word not in VOCABULARY.empty)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word.removesuffix(ending)
    return word


def says(text: str, phrase: str) -> bool:
    """Whether every word of the phrase that means something stands in the text."""
    wanted = stems(phrase)
    return bool(wanted) and wanted <= stems(text)


def mentions(text: str, phrases: Iterable[str]) -> bool:
    """Whether the text says any of these."""
    said = stems(text)
    return any(said >= stems(phrase) for phrase in phrases)


def asks_for(criterion: str, answers: Iterable[str], beside: str = "") -> bool:
    """Whether one of the answers is all that a criterion asks for.

    A criterion that says more than the answers and what they are about (`beside`) asks for more:
    ``safe (never deletes)`` is not answered by what is thread safe.
    """
    said = stems(criterion)
    known = [stems(answer) for answer in answers]
    neutral = stems(" ".join(VOCABULARY.neutral))
    rest = said.difference(neutral, stems(beside), *known)
    return not rest and any(said >= answer for answer in known)


def phrases(text: str, most: int | None = None) -> tuple[str, ...]:
    """The single demands of a list, however it is written: commas, lines, bullets, sentences."""
    pieces = re.split(r"[,;\n]|(?<=\w)\.\s|\s[•*-]\s", text)
    said = (_LEAD.sub("", " ".join(piece.split())).strip(" .") for piece in pieces)
    unique = dict.fromkeys(phrase[:LONGEST_PHRASE] for phrase in said if stems(phrase))
    return tuple(unique)[:most]


def listed(items: Iterable[str], conjunction: str = "and") -> str:
    """``a, b and c``."""
    *most, last = items
    return f"{', '.join(most)} {conjunction} {last}" if most else last


def sentence_case(text: str) -> str:
    """The first letter large, the rest as it is."""
    return text[:1].upper() + text[1:]


def plain(text: str, width: int = 300) -> str:
    """One line that can stand in a docstring, a comment or a table without ending it."""
    line = " ".join(text.split())
    for sign, instead in (("\\", "/"), ("|", "/"), ('"', "'")):
        line = line.replace(sign, instead)
    return "".join(c for c in line if c.isprintable())[:width]


def class_name(text: str) -> str:
    """A name for a class, or nothing when the text is not made of plain letters and digits."""
    if not text.isascii():
        return ""
    name = "".join(sentence_case(word) for word in re.findall("[A-Za-z0-9]+", text)[-4:])
    return "" if not name or name[0].isdigit() or hasattr(builtins, name) else name


def function_name(text: str) -> str:
    """A name for a function or a module that hides nothing of Python's, or nothing, as above."""
    if not text.isascii():
        return ""
    name = "_".join(re.findall("[a-z0-9]+", text.lower())[:6])
    if not name or name[0].isdigit():
        return ""
    taken = keyword.iskeyword(name) or hasattr(builtins, name) or name in sys.stdlib_module_names
    return f"simple_{name}" if taken else name
