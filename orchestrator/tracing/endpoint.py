"""Where spans go: the rules that make an address and a protocol of what the user wrote."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

from orchestrator.errors import InputError
from orchestrator.redaction import redact

Protocol = Literal["grpc", "http/protobuf"]

_TRACES_PATH: Final = "/v1/traces"
_HTTP_PORT: Final = 4318
_PREFIX: Final = "OTEL_EXPORTER_OTLP_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A receiver of spans."""

    url: str
    """With its scheme: ``http`` is plaintext, ``https`` is TLS, over gRPC too."""
    protocol: Protocol
    assumed: str = ""
    """A sentence for the user about a scheme that was not written."""


def checked_address(address: str) -> SplitResult:
    """Take an address apart: ``http(s)://host[:port][/path]`` or ``host[:port]``.

    Raises:
        InputError: it is neither.
    """
    text = address if "://" in address else f"//{address}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    usable = parts.hostname and parts.scheme in {"", "http", "https"} and port != 0
    if not usable or any(character.isspace() for character in address):
        raise InputError(
            f"The OTLP endpoint {redact(address)!r} is no address; "
            "give one such as http://localhost:4317 or https://collector.example.com:4317."
        )
    return parts


def endpoint_of(configured: str | None, environ: Mapping[str, str]) -> Endpoint | None:
    """The receiver that the configuration names, else the environment; None: nobody names one.

    Raises:
        InputError: what names it is no address.
    """
    exact = _setting("TRACES_ENDPOINT", environ) if configured is None else ""
    address = configured or exact or _setting("ENDPOINT", environ)
    if not address:
        return None
    parts = checked_address(address)
    protocol = _protocol(parts, environ)
    scheme = parts.scheme or _assumed_scheme(parts.hostname or "", environ)
    path = parts.path
    if protocol == "http/protobuf" and not exact and not path.endswith(_TRACES_PATH):
        path = path.rstrip("/") + _TRACES_PATH
    url = parts._replace(scheme=scheme, path=path).geturl()
    assumed = (
        ""
        if parts.scheme
        else (
            f"The OTLP endpoint {redact(address)!r} names no scheme; spans go to {redact(url)} "
            f"({'plaintext' if scheme == 'http' else 'TLS'})."
        )
    )
    return Endpoint(url=url, protocol=protocol, assumed=assumed)


def _setting(name: str, environ: Mapping[str, str]) -> str:
    return environ.get(f"{_PREFIX}{name}", "").strip()


def _protocol(parts: SplitResult, environ: Mapping[str, str]) -> Protocol:
    """gRPC, unless the path or the environment says HTTP, or the port is the one of HTTP."""
    said = _setting("TRACES_PROTOCOL", environ) or _setting("PROTOCOL", environ)
    if parts.path.endswith(_TRACES_PATH) or said.startswith("http"):
        return "http/protobuf"
    return "http/protobuf" if not said and parts.port == _HTTP_PORT else "grpc"


def _assumed_scheme(host: str, environ: Mapping[str, str]) -> str:
    """Plaintext at home, TLS elsewhere, unless the environment decides.

    The gRPC exporter itself takes an address without a scheme for TLS, and then delivers nothing
    to a plaintext server.
    """
    insecure = _setting("TRACES_INSECURE", environ) or _setting("INSECURE", environ)
    if insecure:
        return "http" if insecure.lower() == "true" else "https"
    return "http" if _is_private(host) else "https"


def _is_private(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        inside = host.endswith((".local", ".localhost", ".internal", ".svc", ".lan"))
        return inside or "." not in host
