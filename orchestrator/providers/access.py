"""Where a model's server is and which key opens it, as the catalogue and the environment say."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from orchestrator.catalogue import ModelEntry
from orchestrator.errors import InputError

NO_KEY: Final = "none"
"""A word that no server reads where no key is needed, because the SDKs insist on one."""

_PORTS: Final = {"http": 80, "https": 443}


def has_key(entry: ModelEntry, environ: Mapping[str, str]) -> bool:
    """Whether the model needs no key, or its variable holds something."""
    return entry.key_env is None or bool(environ.get(entry.key_env, "").strip())


def key(entry: ModelEntry, environ: Mapping[str, str]) -> str:
    """The key, without the white space around it.

    Raises:
        InputError: there is none, or it cannot be one; names its variable and shows nothing of it.
    """
    if entry.key_env is None:
        return NO_KEY
    found = environ.get(entry.key_env, "").strip()
    if not found or not found.isascii() or not found.isprintable() or " " in found:
        raise InputError(
            f"{entry.key_env}, the key of model {entry.id!r}, is empty or holds characters that "
            "no key has. Set it to a valid key."
        )
    return found


def base_url(entry: ModelEntry, environ: Mapping[str, str], vendors: str) -> str:
    """Where requests go: the environment's word, else the catalogue's, else the vendor's own.

    Raises:
        InputError: it is no HTTP URL; says whose word it is.
    """
    moved = environ.get(entry.base_url_env, "").strip() if entry.base_url_env else ""
    url = moved or entry.base_url or vendors
    try:
        server(url)
    except (KeyError, ValueError):
        source = entry.base_url_env if moved else "base_url in the catalogue"
        raise InputError(
            f"The base URL of model {entry.id!r} is {_shown(url)!r} ({source}): "
            "give one such as 'http://127.0.0.1:8000/v1'."
        ) from None
    return url


def _shown(url: str) -> str:
    """What a person needs to recognise a URL, without who logs in and what is asked."""
    return re.sub("//[^/@]*@", "//…@", url.partition("?")[0])


def server(url: str) -> tuple[str, int]:
    """Host and port; never the path or the query, where keys have been seen.

    Raises:
        KeyError, ValueError: it is no HTTP URL.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("no host")
    return parts.hostname, parts.port or _PORTS[parts.scheme]


def named(server: tuple[str, int]) -> str:
    """The server as a person tells it from others: the port where it is not the usual one."""
    host, port = server
    return host if port in _PORTS.values() else f"{host}:{port}"
