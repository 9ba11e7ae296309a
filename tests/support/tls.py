"""TLS before a PostgreSQL whose own build has none: certificates, and a server that ends it.

As the poolers do that stand before a managed database: to the client it is PostgreSQL with TLS.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # PostgreSQL documentation, 55.7, SSLRequest


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own; its certificate is in the file `path`."""

    path: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def server(self, name: str) -> ssl.SSLContext:
        """What a server needs to be `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, self.certificate.subject, self.key)
        file = self.path.with_name(f"{name}.pem")
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def authority(path: Path) -> Authority:
    """A new one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path.stem)])
    certificate = _certificate(path.stem, key, name, key, is_authority=True)
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(path, key, certificate)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    signing: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(signing, hashes.SHA256())
    )


@asynccontextmanager
async def listening(socket: Path, context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """A port of this machine that leads to PostgreSQL's `socket`: by TLS, or refusing TLS."""

    async def serve(near: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):  # a client that goes away
            begun = await near.readexactly(8)
            if begun == SSL_REQUEST:
                answer.write(b"S" if context else b"N")
                await answer.drain()
                if context is not None:
                    await answer.start_tls(context)
                begun = b""
            far, onward = await asyncio.open_unix_connection(socket)
            onward.write(begun)
            await asyncio.gather(_pass(near, onward), _pass(far, answer))
        answer.close()

    async with await asyncio.start_server(serve, "localhost", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    target.close()
