"""Where spans go: the rules that make an address and a protocol of what the user wrote."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from orchestrator.errors import InputError
from orchestrator.redaction import redact

Protocol = Literal["grpc", "http/protobuf"]

_TRACES_PATH: Final = "/v1/traces"
_HTTP_PORT: Final = 4318
_GRPC_PORT: Final = 4317
_PREFIX: Final = "OTEL_EXPORTER_OTLP_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A receiver of spans."""

    url: str
    """With its scheme: ``http`` is plaintext, ``https`` is TLS, over gRPC too."""
    protocol: Protocol
    remarks: tuple[str, ...] = ()
    """Sentences for the user about what was not written, or not understood."""


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
        InputError: what names it is no address, or one that gRPC cannot use.
    """
    exact = _setting("TRACES_ENDPOINT", environ) if configured is None else ""
    address = configured or exact or _setting("ENDPOINT", environ)
    if not address:
        return None
    parts = checked_address(address)
    protocol = _protocol(parts, environ)
    whole = parts._replace(scheme=parts.scheme or _assumed_scheme(parts.hostname or "", environ))
    if protocol == "grpc":
        whole = _dialled(whole, address)
    elif not exact and not whole.path.endswith(_TRACES_PATH):
        whole = whole._replace(path=whole.path.rstrip("/") + _TRACES_PATH)
    remarks = (_remark_on(address, parts, whole), _remark_on_protocol(environ, protocol))
    return Endpoint(url=whole.geturl(), protocol=protocol, remarks=tuple(filter(None, remarks)))


def _dialled(address: SplitResult, written: str) -> SplitResult:
    """What gRPC can call: without credentials, and with a port where plaintext has none.

    gRPC's own port is 443, where no plaintext server listens.
    """
    if address.username is not None:
        raise InputError(
            f"The OTLP endpoint {redact(written)!r} holds a user name, which gRPC does not send; "
            "put it into OTEL_EXPORTER_OTLP_HEADERS, such as authorization=Basic%20…"
        )
    if address.scheme == "https" or address.port is not None:
        return address
    return address._replace(netloc=f"{address.netloc.rstrip(':')}:{_GRPC_PORT}")


def _remark_on(written: str, parts: SplitResult, whole: SplitResult) -> str:
    lacking = [
        name
        for name, lacks in (
            ("scheme", not parts.scheme),
            ("port", parts.port is None and whole.port is not None),
        )
        if lacks
    ]
    if not lacking:
        return ""
    kind = "plaintext" if whole.scheme == "http" else "TLS"
    return (
        f"The OTLP endpoint {redact(written)!r} names no {' and no '.join(lacking)}; "
        f"spans go to {redact(whole.geturl())} ({kind})."
    )


def _remark_on_protocol(environ: Mapping[str, str], protocol: Protocol) -> str:
    said = _said_protocol(environ)
    if said in {"", *get_args(Protocol)}:
        return ""
    return (
        f"The OTLP protocol {said!r} is neither {' nor '.join(get_args(Protocol))}; "
        f"spans go over {protocol}. Correct OTEL_EXPORTER_OTLP_PROTOCOL."
    )


def _setting(name: str, environ: Mapping[str, str]) -> str:
    return environ.get(f"{_PREFIX}{name}", "").strip()


def _protocol(parts: SplitResult, environ: Mapping[str, str]) -> Protocol:
    """gRPC, unless the path or the environment says HTTP, or the port is the one of HTTP."""
    said = _said_protocol(environ)
    if parts.path.endswith(_TRACES_PATH) or said.startswith("http"):
        return "http/protobuf"
    return "http/protobuf" if not said and parts.port == _HTTP_PORT else "grpc"


def _said_protocol(environ: Mapping[str, str]) -> str:
    return (_setting("TRACES_PROTOCOL", environ) or _setting("PROTOCOL", environ)).lower()


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
