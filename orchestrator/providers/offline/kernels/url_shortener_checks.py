"""What a shortener of addresses has to do, as tests."""
# ruff: noqa: D103, PLR2004, S101 - tests assert, and their names and numbers are the point

# %% imports
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.providers.offline.kernels.url_shortener import (
    NamedShortener,
    SharedShortener,
    UrlShortener,
    VisitCounter,
    encoded,
    loaded,
    saved,
)

# %% core
PAGE = "https://example.com/page"


def test_a_code_leads_back_to_its_address() -> None:
    shortener = UrlShortener()
    assert shortener.resolve(shortener.shorten(PAGE)) == PAGE


def test_the_same_address_gets_the_same_code() -> None:
    shortener = UrlShortener()
    assert shortener.shorten(PAGE) == shortener.shorten(PAGE)
    assert shortener.shorten(f"{PAGE}/2") != shortener.shorten(PAGE)


def test_base_62_counts_on() -> None:
    assert [encoded(number) for number in (0, 61, 62)] == ["0", "Z", "10"]


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="not an http"):
        UrlShortener().shorten("ftp://example.com")


# %% names of one's own
def test_names_of_ones_own_are_given_once() -> None:
    shortener = NamedShortener()
    shortener.name("home", PAGE)
    assert shortener.resolve("home") == PAGE
    with pytest.raises(ValueError, match="taken"):
        shortener.name("home", f"{PAGE}/2")


# %% counting visits
def test_counting_visits_counts_each_code() -> None:
    shortener = UrlShortener()
    code = shortener.shorten(PAGE)
    counter = VisitCounter(shortener, clock=lambda: 5.0)
    counter.resolve(code)
    counter.resolve(code)
    assert (counter.visits, counter.last) == ({code: 2}, {code: 5.0})


# %% saving and loading
def test_saving_and_loading_keeps_every_code() -> None:
    shortener = UrlShortener()
    code = shortener.shorten(PAGE)
    again = loaded(saved(shortener))
    assert again.resolve(code) == PAGE
    assert again.shorten(f"{PAGE}/2") != code


# %% thread safe
def test_threads_together_get_one_code_each() -> None:
    shortener = SharedShortener()
    with ThreadPoolExecutor(max_workers=8) as pool:
        codes = list(pool.map(lambda number: shortener.shorten(f"{PAGE}/{number}"), range(200)))
    assert len(set(codes)) == 200
