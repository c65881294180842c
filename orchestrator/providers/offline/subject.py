"""What a project is about, read from its sentence."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from orchestrator.providers.offline.vocabulary import VOCABULARY
from orchestrator.providers.offline.words import listed, plain, stems


class Kind(StrEnum):
    """What sort of project it is; it decides which tasks there are."""

    SOFTWARE = "software"
    DOCUMENT = "document"
    RESEARCH = "research"
    DATA = "data"
    QUESTION = "question"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A project in its own nouns."""

    kind: Kind
    thing: str
    """What is to be made, without its form: ``rate limiter``, ``remote onboarding``."""
    whole: str
    """The same with its form: ``rate limiter library``, ``guide about remote onboarding``."""
    options: tuple[str, ...] = ()
    """What is compared with what."""
    sentence: str = ""
    """What was asked for, word for word, as far as one line can hold it."""
    deed: str = ""
    """What it is said to do: ``sorts photos``, of a tool that sorts photos; often nothing."""
    is_structure: bool = False
    """Whether it can be made of the asker's own words: a plan, an outline, an agenda."""

    @property
    def words(self) -> str:
        """Everything that a text may say only because it names its subject."""
        return f"{self.sentence} {self.thing} {self.whole}"


_VERBS: Final = {verb: Kind(kind) for kind, verbs in VOCABULARY.verbs.items() for verb in verbs}
_FORMS: Final = {form: Kind(kind) for kind, forms in VOCABULARY.forms.items() for form in forms}
_DECISIVE: Final = frozenset({Kind.RESEARCH, Kind.DATA})
"""Verbs of these kinds decide, whatever noun follows: a comparison of libraries is no library."""

_POLITE: Final = re.compile(
    r"^(?:please|can you|could you|i (?:want|need|would like)(?: you)?(?: to)?|we (?:want|need)"
    r"(?: to)?|help (?:me|us)(?: to)?|let us|let's)\s+",
    re.IGNORECASE,
)
_ARTICLE: Final = re.compile(r"^(?:an?|the|some|our|my|me an?|us an?|new)\s+", re.IGNORECASE)
_CUT: Final = re.compile(
    r"\s+(?:that|which|for|with|to|in|using|from|so|who|on|about|of|as|by|where)\s+|[,;:.!?(\n]",
    re.IGNORECASE,
)
_DEED: Final = re.compile(r"\s(?:that|which|to)\s+([^,;:.!?\n]+)", re.IGNORECASE)
_ABOUT: Final = re.compile(r"\s+(?:about|on|of)\s+", re.IGNORECASE)
_BETWEEN: Final = re.compile(
    r"\s*(?:,\s*(?:and|or)?|\band\b|\bor\b|\bvs\.?|\bversus\b|\bwith\b)\s+", re.IGNORECASE
)
_SIGNS: Final = " .!?,;:"
_MOST_WORDS: Final = 8
_WIDTH: Final = 80
_MOST_OPTIONS: Final = 4


def subject_of(project: str) -> Subject:
    """Read a project's sentence; what cannot be read is a project of the other kind."""
    line = next((line.strip(" #*-") for line in project.splitlines() if line.strip(" #*-")), "")
    verb, rest = _opened(line)
    pieces = [piece.strip() for piece in _CUT.split(rest) if piece.strip()] or [rest]
    kind = Kind.QUESTION if _is_question(line, verb) else _kind(verb, pieces[0], rest)
    deed = _DEED.search(line)
    made = {verb, *pieces[0].lower().rsplit(maxsplit=1)[-1:]}
    return replace(
        _subject(kind, line, rest, pieces),
        sentence=plain(line),
        deed=" ".join(deed[1].split()) if deed else "",
        is_structure=not made.isdisjoint(VOCABULARY.structures),
    )


def _subject(kind: Kind, line: str, rest: str, pieces: list[str]) -> Subject:
    """The nouns; how much of the sentence they are depends on the kind."""
    options: tuple[str, ...] = ()
    if kind is Kind.QUESTION:
        thing = whole = line
    elif kind in (Kind.SOFTWARE, Kind.OTHER):
        thing, whole = _unwrapped(pieces), pieces[0]
    else:
        thing, whole = _topic(pieces[0], rest), rest
        options = _options(thing) if kind is Kind.RESEARCH else ()
    return Subject(
        kind=kind,
        thing=_bounded(listed(options) if options else thing) or "project",
        whole=_bounded(whole) or "project",
        options=options,
    )


def _is_question(line: str, verb: str) -> bool:
    return bool(stems(line)) and (_VERBS.get(verb) is Kind.QUESTION or (not verb and "?" in line))


def _topic(head: str, rest: str) -> str:
    """What comes after ``an article about``; all of it where no form is named."""
    form = next(filter(None, map(_form, head.rsplit(maxsplit=1)[-1:])), None)
    about = _ABOUT.split(rest, maxsplit=1)
    return _ARTICLE.sub("", about[1]) if form and len(about) > 1 else rest


def _form(word: str) -> Kind | None:
    return _FORMS.get(word.lower()) or _FORMS.get(word.lower().removesuffix("s"))


def _opened(line: str) -> tuple[str, str]:
    """The verb a sentence begins with, if it is a known one, and what follows it."""
    line = _POLITE.sub("", line)
    first, _, rest = line.partition(" ")
    if first.lower() in _VERBS and rest:
        return first.lower(), _ARTICLE.sub("", rest.strip())
    return "", _ARTICLE.sub("", line)


def _kind(verb: str, head: str, rest: str) -> Kind:
    """The verb when it decides, else the form that is made, else any form named, else the verb."""
    by_verb = _VERBS.get(verb, Kind.OTHER)
    if by_verb in _DECISIVE:
        return by_verb
    by_noun = next(filter(None, map(_form, reversed(re.findall(r"\w+", head)))), None)
    anywhere = next(filter(None, map(_form, re.findall(r"\w+", rest))), None)
    return by_noun or (anywhere if by_verb is Kind.OTHER else by_verb) or Kind.OTHER


def _unwrapped(pieces: list[str]) -> str:
    """The thing in ``rate limiter library`` and in ``library for rate limiting``."""
    words = pieces[0].split()
    while words and words[-1].lower() in VOCABULARY.wrappers:
        words.pop()
    return " ".join(words) or _ARTICLE.sub("", pieces[min(1, len(pieces) - 1)])


def _options(rest: str) -> tuple[str, ...]:
    """The things compared: those of a list before its purpose is named."""
    parts = re.split(r"\s+(?:for|in|as|on|regarding|by)\s+|[.:;?!]", rest, maxsplit=1)
    named = [part.strip() for part in _BETWEEN.split(_ARTICLE.sub("", parts[0])) if stems(part)]
    return tuple(map(_bounded, named[:_MOST_OPTIONS])) if len(named) > 1 else ()


def _bounded(text: str) -> str:
    """The first words; what is cut does not end in a word that only joins it to the rest."""
    words = text.strip(_SIGNS).split()
    kept = words[:_MOST_WORDS]
    while len(kept) < len(words) and len(kept) > 1 and not stems(kept[-1]):
        kept.pop()
    return " ".join(kept).strip(_SIGNS)[:_WIDTH]
