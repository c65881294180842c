"""Keys are taken out of text, whatever stands around them; sentences without one stay."""

import pytest

from orchestrator.redaction import redact


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdef1234567890",
        "sk-ant-api03-abcdef_1234",
        "AIzaSyA1234567890abcdefghijk",
        "xai-abcdef123456",
        "gsk_abcdef123456",
        "ghp_abcdef123456ABCDEF",
        "github_pat_11ABCDE_abcdef",
        "hf_abcdefghijkl",
        "eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2lnbmF0dXJl",
    ],
)
def test_a_key_is_redacted_wherever_it_stands(secret):
    for text in (secret, f"it is {secret}.", f"({secret})", f'"{secret}",'):
        assert secret not in redact(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
        ("https://h/v1?key=abcdef123&x=1", "https://h/v1?key=[redacted]&x=1"),
        ('{"api_key": "abcdef123"}', '{"api_key": "[redacted]"}'),
        ("http://me:pass@host/path", "http://[redacted]@host/path"),
        ("traces to me:pass@host:4317, again", "traces to me:[redacted]@host:4317, again"),
    ],
)
def test_what_names_a_key_stays(text, left):
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Budget of $1.00 is spent.",
        "The task asks for key features: speed.",
        "risk-averse models, task-1234567",
        "8,192 tokens: too many",
        "",
    ],
)
def test_plain_sentences_are_left_alone(text):
    assert redact(text) == text
