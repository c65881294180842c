"""Which models exist, as data: a file checked by pydantic."""

from collections.abc import Iterator
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestrator import documents
from orchestrator.errors import InputError

RemoteApi = Literal["openai", "anthropic", "google"]
"""The wire protocol by which a model is reached over a network."""

Api = Literal["offline", RemoteApi]
"""How a model is reached; `offline` is the embedded one."""

Structured = Literal["json_schema", "json_object", "text"]
"""How a model is held to a shape: by its schema, to JSON at large, or by the prompt alone."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Price(_Strict):
    """US dollars per million tokens."""

    input: Annotated[Decimal, Field(ge=0)]
    output: Annotated[Decimal, Field(ge=0)]


class Limits(_Strict):
    """How much a vendor lets one key ask of a model in a minute; calls wait for their turn."""

    rpm: Annotated[int, Field(gt=0)] | None = None
    """Requests a minute."""
    tpm: Annotated[int, Field(gt=0)] | None = None
    """Tokens a minute, of questions and answers together."""
    shared: bool = False
    """The models of the same provider and key that say so have one allowance among them."""

    @model_validator(mode="after")
    def _limit_something(self) -> Self:
        if self.rpm is None and self.tpm is None:
            raise ValueError("state rpm, tpm or both")
        return self


class ModelEntry(_Strict):
    """One model that may be asked."""

    id: Annotated[str, Field(min_length=1)]
    """What runs, policies and spans call it."""
    provider: Annotated[str, Field(min_length=1)]
    """Who answers; a critique comes from another one. OpenTelemetry's well-known names where
    one fits (``openai``, ``anthropic``, ``gcp.gemini``, ``deepseek``, ``moonshot_ai``)."""
    api: Api
    name: str = ""
    """The vendor's own name of the model, when it is not the id."""
    base_url: str | None = None
    base_url_env: str | None = None
    """An environment variable that moves the base URL."""
    key_env: str | None = None
    """The environment variable that holds the key; None: no key is needed."""
    region: str | None = None
    tags: frozenset[str] = frozenset()
    """What policies ask for, such as ``no_train`` or ``pii_allowed``."""
    context_window: Annotated[int, Field(gt=0)] | None = None
    max_output_tokens: Annotated[int, Field(gt=0)] | None = None
    thinking_tokens: Annotated[int, Field(ge=0)] = 0
    """Room to think, on top of the limit of each answer: vendors count thoughts against it."""
    structured: Structured = "json_schema"
    """How an answer that must have a shape is asked for."""
    quality: Annotated[float, Field(ge=0, le=1)] = 0.5
    """What to expect of it until this run's own scores say better; 0 to 1."""
    limits: Limits | None = None
    price: Price | None = None
    """Overrides the price list; a remote model that has no price at all is refused."""
    latency_ms: Annotated[float, Field(ge=0)] = 0.0
    """How long an offline model takes for an answer (demonstrations and benchmarks)."""

    @property
    def wire_name(self) -> str:
        """The name the vendor knows."""
        return self.name or self.id

    def output_limit(self, answer_tokens: int) -> int:
        """The limit of a request whose answer may take so many tokens, thoughts included."""
        wanted = answer_tokens + self.thinking_tokens
        return min(wanted, self.max_output_tokens or wanted)

    @model_validator(mode="after")
    def _latency_is_for_offline_models(self) -> Self:
        if self.latency_ms and self.api != "offline":
            raise ValueError(f"latency_ms is for offline models, and {self.id!r} is not one")
        return self


class Catalogue(_Strict):
    """All models of a run, ids unique, in the order of the file."""

    models: Annotated[tuple[ModelEntry, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        seen: set[str] = set()
        for entry in self.models:
            if entry.id in seen:
                raise ValueError(f"model {entry.id!r} stands in the catalogue twice")
            seen.add(entry.id)
        return self

    @model_validator(mode="after")
    def _shared_limits_agree(self) -> Self:
        shared: dict[tuple[str, str | None], ModelEntry] = {}
        for entry in self.models:
            if entry.limits is None or not entry.limits.shared:
                continue
            first = shared.setdefault((entry.provider, entry.key_env), entry)
            if first.limits != entry.limits:
                raise ValueError(
                    f"models {first.id!r} and {entry.id!r} share their limits and state two "
                    "different ones"
                )
        return self

    def __getitem__(self, model_id: str) -> ModelEntry:
        for entry in self.models:
            if entry.id == model_id:
                return entry
        raise KeyError(model_id)

    def entries(self) -> Iterator[ModelEntry]:
        """Every model, in the order of the file."""
        return iter(self.models)


def none_ready(catalogue: Catalogue) -> InputError:
    """The refusal to run where no model can be asked; says what would make one ready."""
    keys = sorted({entry.key_env for entry in catalogue.models if entry.key_env})
    return InputError(
        "No model of the catalogue is ready. "
        + (f"Set the key of one ({', '.join(keys)}), or add" if keys else "Add")
        + " an offline model."
    )


def shipped_catalogue() -> Catalogue:
    """The catalogue that comes with the package."""
    text = files("orchestrator").joinpath("catalogue.yaml").read_text(encoding="utf-8")
    return Catalogue.model_validate(yaml.safe_load(text))


def load_catalogue(path: Path) -> Catalogue:
    """Read a catalogue file.

    Raises:
        InputError: it cannot be read or parsed, or does not describe models.
    """
    return documents.load(path, Catalogue, "catalogue")
