"""How much text there is: a token is a word, a number or one sign."""

import re
from itertools import islice
from typing import Final

_TOKEN: Final = re.compile(r"\w+|[^\w\s]")


def count(text: str) -> int:
    """The number of tokens."""
    return sum(1 for _ in _TOKEN.finditer(text))


def cut(text: str, limit: int) -> str:
    """The text up to the end of its token number `limit`; all of it when it is shorter."""
    after = next(islice(_TOKEN.finditer(text), limit, None), None)
    return text if after is None else text[: after.start()].rstrip()
