"""TLS with a certificate authority that nobody but the user knows."""

import os
import shutil
import subprocess
from pathlib import Path

import grpc
import pytest

from tests.processes import fresh, started
from tests.receivers import EXPORTER_TELLS_WHY, receiver


@pytest.fixture
def private_ca(tmp_path: Path) -> tuple[Path, grpc.ServerCredentials]:
    """A certificate for 127.0.0.1 that no public authority has signed, and its server side."""
    openssl = shutil.which("openssl")
    if openssl is None:
        missing = "openssl, which makes the certificate, is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(
                openssl,
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "1",
            ),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    pair = (key.read_bytes(), certificate.read_bytes())
    return certificate, grpc.ssl_server_credentials([pair])


RUN_OVER_TLS = """
    configure_tracing(TracingConfig(
        enabled=True, otlp_endpoint="https://{endpoint}", flush_timeout_s={bound}
    ))
    with traced_run("p1"):
        pass
    print(shutdown_tracing())
"""


def test_a_private_certificate_authority_is_trusted_where_the_environment_names_it(private_ca):
    certificate, credentials = private_ca
    with receiver(tls=credentials) as server:
        done = fresh(
            RUN_OVER_TLS.format(endpoint=server.endpoint, bound=60),
            OTEL_EXPORTER_OTLP_CERTIFICATE=str(certificate),
        )

        assert (done.stdout.strip(), done.stderr) == ("True", "")
        assert server.names == ["run_project"]


def test_a_private_certificate_authority_that_nobody_named_is_not_trusted(private_ca):
    _, credentials = private_ca
    with receiver(tls=credentials) as server:
        # A process that starts: gRPC's own library settles on import whether it writes to stderr.
        done = started(RUN_OVER_TLS.format(endpoint=server.endpoint, bound=0.5))

        assert done.stdout.strip() == "False"
        assert server.spans == []
        (warning,) = done.stderr.splitlines()
        assert warning.startswith("1 of 1 spans were lost")
        assert ("its certificate is not trusted" in warning) is EXPORTER_TELLS_WHY
