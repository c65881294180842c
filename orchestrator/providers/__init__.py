"""The vendors: which models are ready, and a connection to each."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.catalogue import Catalogue, ModelEntry, RemoteApi, none_ready
from orchestrator.ports import Clock, Provider
from orchestrator.providers import access

if TYPE_CHECKING:
    from orchestrator.providers.remote import RemoteProvider


def ready_models(catalogue: Catalogue, environ: Mapping[str, str]) -> tuple[ModelEntry, ...]:
    """The remote models whose key is set or that need none; without any, the offline ones."""
    remote = tuple(
        entry
        for entry in catalogue.models
        if entry.api != "offline" and access.has_key(entry, environ)
    )
    return remote or tuple(entry for entry in catalogue.models if entry.api == "offline")


def connect(catalogue: Catalogue, environ: Mapping[str, str], clock: Clock) -> dict[str, Provider]:
    """A provider for every model that is ready, by model id; nothing is sent to anybody yet.

    Raises:
        InputError: no model is ready, or one of them cannot be reached the way it is described.
    """
    ready = ready_models(catalogue, environ)
    if not ready:
        raise none_ready(catalogue)
    return {entry.id: _connected(entry, environ, clock) for entry in ready}


def speaker(api: RemoteApi) -> "type[RemoteProvider[Any, Any]]":
    """Who speaks this API; its SDK is not imported."""
    match api:
        case "openai":
            from orchestrator.providers.openai import OpenAIProvider

            return OpenAIProvider
        case "anthropic":
            from orchestrator.providers.anthropic import AnthropicProvider

            return AnthropicProvider
        case "google":
            from orchestrator.providers.google import GoogleProvider

            return GoogleProvider


def _connected(entry: ModelEntry, environ: Mapping[str, str], clock: Clock) -> Provider:
    # Imported one by one: a run with a key never reads what the offline models know.
    if entry.api == "offline":
        from orchestrator.providers.offline import OfflineProvider

        return OfflineProvider(entry, clock)
    return speaker(entry.api)(entry, environ)
