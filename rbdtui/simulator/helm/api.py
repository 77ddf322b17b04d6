"""SIMULATED helm: the API that a kubeconfig leads to."""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import ssl
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml


class HelmError(Exception):
    """Helm ends with 1; the words are its own."""


class ApiError(HelmError):
    """The API refuses something."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """The API that a kubeconfig leads to."""

    def __init__(self, path: str) -> None:
        try:
            config = yaml.safe_load(Path(path).read_text())
            cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        except (OSError, LookupError, TypeError, yaml.YAMLError) as error:
            raise HelmError(f"Kubernetes cluster unreachable: error loading config file: {error}") from None
        self._server = str(cluster["server"])
        context = ssl.create_default_context(cadata=_decoded(cluster["certificate-authority-data"]))
        name = str(cluster.get("tls-server-name", ""))
        if "client-certificate-data" in user:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
                # Simulated keys only: the module reads chains from files alone.
                file.write(_decoded(user["client-key-data"]) + _decoded(user["client-certificate-data"]))
                file.flush()
                context.load_cert_chain(file.name)
        parts = urlsplit(self._server)
        self._connection = _Connection(parts.hostname or "", parts.port or 443, context, name)

    def ask(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:
        """An answer in JSON; raises `ApiError`, or `HelmError` when nobody answers."""
        connection = self._connection
        content = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, content, {"Content-Type": content_type})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            words = f'Get "{self._server}/version": {error}'
            raise HelmError(f"Kubernetes cluster unreachable: {words}") from None
        if answer.status >= 400:
            raise ApiError(answer.status, _message(text))
        return json.loads(text)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def find(self, path: str) -> Any:
        """An object, or None."""
        try:
            return self.ask("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise


class _Connection(http.client.HTTPSConnection):
    """HTTPS that expects a certificate for another name than the address."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, name: str) -> None:
        super().__init__(host, port, context=context, timeout=30)
        self._tls_context, self._name = context, name or host

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls_context.wrap_socket(self.sock, server_hostname=self._name)


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, LookupError, TypeError):
        return text.decode("utf-8", "replace").strip()


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()


def client_of(options: argparse.Namespace) -> Client:
    """The client of a command, closed at its end."""
    options.client = Client(options.kubeconfig)
    return options.client  # type: ignore[no-any-return]
