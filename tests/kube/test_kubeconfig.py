"""A kubeconfig is read strictly, whoever wrote it: certificates, a key, a token, and nothing to be acted upon."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rbdtui.kube.kubeconfig import MOST_BYTES, KubeconfigError, parse_kubeconfig, read_kubeconfig
from tests.growth import grows_no_faster_than_it_should, nasty_texts
from tests.probes.targets import Authority


@pytest.fixture
def good(authority: Authority, tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(authority.kubeconfig(tmp_path / "kubeconfig").read_text())
    return found


def parse(data: object) -> object:
    return parse_kubeconfig(json.dumps(data).encode())


def test_what_we_write_is_what_we_read(good: dict[str, Any]) -> None:
    config = parse_kubeconfig(json.dumps(good).encode())
    ours = config.text("https://198.51.100.50:6443")
    again = parse_kubeconfig(ours)
    assert (again.authority, again.certificate, again.key) == (config.authority, config.certificate, config.key)
    assert again.text("https://198.51.100.50:6443") == ours
    assert "PRIVATE" not in repr(config)
    assert config.identity().get_ca_certs()


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "exec": lambda d: d["users"][0]["user"].update(exec={"command": "sh", "args": ["-c", "id"]}),
    "auth-provider": lambda d: d["users"][0]["user"].update({"auth-provider": {"name": "gcp"}}),
    "tokenFile": lambda d: d["users"][0]["user"].update(tokenFile="/etc/shadow"),
    "client-certificate": lambda d: d["users"][0]["user"].update({"client-certificate": "/etc/passwd"}),
    "client-key": lambda d: d["users"][0]["user"].update({"client-key": "/etc/passwd"}),
    "username": lambda d: d["users"][0]["user"].update(username="u", password="p"),
    "as": lambda d: d["users"][0]["user"].update({"as": "system:admin"}),
    "proxy-url": lambda d: d["clusters"][0]["cluster"].update({"proxy-url": "http://198.51.100.1"}),
    "tls-server-name": lambda d: d["clusters"][0]["cluster"].update({"tls-server-name": "other"}),
    "certificate-authority": lambda d: d["clusters"][0]["cluster"].update({"certificate-authority": "/etc/passwd"}),
    "insecure": lambda d: d["clusters"][0]["cluster"].update({"insecure-skip-tls-verify": True}),
    "two clusters": lambda d: d["clusters"].append(d["clusters"][0]),
    "two users": lambda d: d["users"].append({"name": "other", "user": {"token": "x"}}),
    "two contexts": lambda d: d["contexts"].append(d["contexts"][0]),
    "another user": lambda d: d["contexts"][0]["context"].update(user="other"),
    "no current context": lambda d: d.pop("current-context"),
    "no credentials": lambda d: d["users"][0].update(user={}),
    "no key": lambda d: d["users"][0]["user"].pop("client-key-data"),
    "a number as key": lambda d: d["users"][0]["user"].update({"client-key-data": 5}),
    "a list as token": lambda d: d["users"][0].update(user={"token": ["x"]}),
    "a token with a line end": lambda d: d["users"][0].update(user={"token": "x\r\nHost: other"}),
    "no authority": lambda d: d["clusters"][0]["cluster"].pop("certificate-authority-data"),
    "certificate as authority": lambda d: d["clusters"][0]["cluster"].update(
        {"certificate-authority-data": d["users"][0]["user"]["client-certificate-data"]}
    ),
    "authority as certificate": lambda d: d["users"][0]["user"].update(
        {"client-certificate-data": d["clusters"][0]["cluster"]["certificate-authority-data"]}
    ),
    "key as certificate": lambda d: d["users"][0]["user"].update(
        {"client-certificate-data": d["users"][0]["user"]["client-key-data"]}
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_anything_else_is_refused(good: dict[str, Any], change: str) -> None:
    parse(good)
    CHANGES[change](good)
    with pytest.raises(KubeconfigError) as caught:
        parse(good)
    assert "PRIVATE" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_token_alone_is_enough(good: dict[str, Any]) -> None:
    good["users"][0]["user"] = {"token": "abc.def"}
    assert parse_kubeconfig(json.dumps(good).encode()).token == "abc.def"


def test_a_signer_that_is_there_must_have_signed(good: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    leaf = base64.b64decode(good["users"][0]["user"]["client-certificate-data"])
    own = base64.b64decode(good["clusters"][0]["cluster"]["certificate-authority-data"])
    for signer, fits in ((own, True), (other.pem, False)):
        good["users"][0]["user"]["client-certificate-data"] = base64.b64encode(leaf + signer).decode()
        if fits:
            parse(good)
        else:
            with pytest.raises(KubeconfigError, match="not signed"):
                parse(good)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * MOST_BYTES, b"{a: " * 10_000, b"- " * 30_000, b"? " * 30_000, b"\n" * MOST_BYTES, b"a: &a [*a]\n",
        b"x" * (MOST_BYTES + 1), b"\xff\xfe\x00", b"!!python/object/apply:os.system [id]\n", b"a: 9" + b"9" * 9000,
        b"%TAG ! x\n" * 5000, b'"' + b"\\" * 60_000, b"a: " * 20_000, b"'" * 60_001, b"&a " * 20_000,
    ],
    ids=lambda content: repr(content[:8]),
)  # fmt: skip
def test_no_text_takes_long_or_raises_anything_else(content: bytes) -> None:
    began = time.thread_time()
    with pytest.raises(KubeconfigError):
        parse_kubeconfig(content)
    assert time.thread_time() - began < 3


def test_the_cost_grows_with_the_text() -> None:
    def read(text: str) -> None:
        with pytest.raises(KubeconfigError):
            parse_kubeconfig(text.encode())

    for text_of in nasty_texts():
        grows_no_faster_than_it_should(read, text_of, 2500)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_is_told_as_such(good: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(good).encode()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(st.binary(max_size=12)) + text[place + data.draw(st.integers(0, 12)) :]
    with suppress(KubeconfigError):
        parse_kubeconfig(text)


def test_a_directory_or_nothing_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(KubeconfigError):
            read_kubeconfig(path)
