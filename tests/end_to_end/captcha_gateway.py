"""A proxy that answers as the providers of captchas would: where HTTPS_PROXY leads in tests."""

import datetime
import json
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class CaptchaGateway:
    """Believes answers that begin with `good`; `asked` are the host and the fields of each call."""

    def __init__(self, folder: Path, hosts: list[str]) -> None:
        """`certificate` is to be trusted by who calls."""
        self.certificate = folder / "captcha.pem"
        self.certificate.write_bytes(_certificate(hosts))
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.hostname = "127.0.0.1"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            host = _head(client).split()[1].rpartition(":")[0]
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            with self._tls.wrap_socket(client, server_side=True) as inside:
                head = _head(inside)
                length = int(head.lower().partition("content-length:")[2].split()[0])
                body = b""
                while len(body) < length:
                    body += inside.recv(65_536)
                sent = dict(parse_qsl(body.decode()))
                self.asked.append((host, sent))
                said = {"success": sent["response"].startswith("good"), "hostname": self.hostname}
                text = json.dumps(said).encode()
                answer = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n"
                inside.sendall(answer.encode() + text)


def _head(connection: socket.socket) -> str:
    """All up to the empty line, byte by byte: what follows is for others to read."""
    read = b""
    while not read.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        if not more:
            raise ConnectionError
        read += more
    return read.decode()


def _certificate(hosts: list[str]) -> bytes:
    """Key and certificate in one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "captchas")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now - day, now + day
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + made.public_bytes(serialization.Encoding.PEM)
