"""Keys, taken out of text before it leaves the process."""

import re
from typing import Final

REDACTED: Final = "[redacted]"

_SECRET: Final = re.compile(
    r"""
      \b sk-[\w-]{6,}                               # OpenAI, Anthropic, DeepSeek, Moonshot, …
    | \b AIza[\w-]{10,}                             # Google
    | \b xai-[\w-]{6,}                              # xAI
    | \b gsk_\w{6,}                                 # Groq
    | \b hf_\w{6,}                                  # Hugging Face
    | \b gh[opsur]_\w{6,} | \b github_pat_\w{6,}    # GitHub
    | \b eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*            # a JSON web token
    | (?P<scheme> \b (?:Bearer|Basic) \s+ ) [\w.~+/=-]{6,}
    | (?P<name> \b [\w-]* (?: key | token | secret | passw(?:or)?d ) ["']? \s* [=:] \s* ["']? )
      (?! \s ) [^\s"'&,;)}\]]{6,}
    | (?P<user> :// | \b [\w.%+-]+ : ) [^\s/@]+ @   # user:password@ in an address
    """,
    re.VERBOSE | re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with everything that looks like a key replaced; what names the key stays."""
    return _SECRET.sub(_replacement, text)


def _replacement(match: re.Match[str]) -> str:
    kept = match["scheme"] or match["name"] or match["user"] or ""
    return f"{kept}{REDACTED}{'@' if match['user'] else ''}"
