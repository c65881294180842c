"""What to do about a receiver that takes no spans, as far as the exporter's last words tell."""

from typing import Final

_NOBODY: Final = "nobody listens there; start the receiver, or correct the endpoint"
_NO_HOST: Final = "its host has no address; correct the endpoint"
_CREDENTIALS: Final = "it refused the credentials; correct OTEL_EXPORTER_OTLP_HEADERS"
_CERTIFICATE: Final = (
    "its certificate is not trusted; name its authority in OTEL_EXPORTER_OTLP_CERTIFICATE"
)
_NOT_TLS: Final = "it does not speak TLS; write http:// if that is meant"
_NOT_GRPC: Final = "it speaks HTTP, not gRPC; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
_NOT_HTTP: Final = "it speaks no HTTP; correct the port, or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
_PATH: Final = "it has no such path; correct the endpoint, or OTEL_EXPORTER_OTLP_PROTOCOL"
_SIGNS: Final = (
    ("Connection refused", _NOBODY),
    ("errors resolving", _NO_HOST),
    ("DNS resolution failed", _NO_HOST),
    ("NameResolutionError", _NO_HOST),
    ("CERTIFICATE_VERIFY_FAILED", _CERTIFICATE),
    ("certificate verify failed", _CERTIFICATE),
    ("WRONG_VERSION_NUMBER", _NOT_TLS),
    ("Failed parsing HTTP/2", _NOT_GRPC),
    ("BadStatusLine", _NOT_HTTP),
    ("UNAUTHENTICATED", _CREDENTIALS),
    ("PERMISSION_DENIED", _CREDENTIALS),
    ("code: 401", _CREDENTIALS),
    ("code: 403", _CREDENTIALS),
    ("UNIMPLEMENTED", _PATH),
    ("code: 404", _PATH),
)


def advice_on(complaint: str) -> str:
    """What the exporter complains of in words that help; its own words where there are none."""
    return next((said for sign, said in _SIGNS if sign in complaint), complaint)
