"""Secrets that only their form gives away, as servers, the operator and Kubernetes write them."""

from __future__ import annotations

import base64
import json

import pytest

from rbdtui.masking import mask
from rbdtui.redact import MARK

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIcanary\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "text",
    [
        # rainbond-operator, util/repositoryutil: N22
        "First login failed err, login insecure repository goodrain.me with username admin and password canary",
        "        - --mysql=rbd:canary@tcp(10.0.0.20:3306)/region",
        "--mysql=rbd:ca:na@ry@tcp(10.0.0.20:3306)/region",
        "      --mysql=rbd:canary@tcp(rbd-db-rw:3306)/console",
        "        - name: MYSQL_PASS\n          value: canary",
        "        - name: BUILD_IMAGE_REPOSTORY_PASS\n          value: \"canary\"",
        '{"name":"MYSQL_PASS","value":"canary"}',
        '{"name": "BUILD_IMAGE_REPOSTORY_PASS", "value": "canary"}',
        "      MYSQL_PASS:                  canary",
        "MYSQL_PASS=canary",
        "    auth_pass canary",
        "token: canary",
        "agent-token: 'canary'",
        f"token: K10{'a' * 64}::server:canary",
        f"level=info msg=\"joining with K10{'0' * 64}::server:canary\"",
        "configs:\n  goodrain.me:\n    auth:\n      username: admin\n      password: canary",
        "      auth: Y2FuYXJ5canary",
        "      identity_token: canary",
        '{"auths":{"goodrain.me":{"auth":"canary"}}}',
        r"last-applied: {\"spec\":{\"password\":\"canary\"}}",
        "  imageHub:\n    password: canary\n    domain: hub",
        "mysql://rbd:canary@10.0.0.20:3306/region",
        "https://admin:canary@goodrain.me/v2/",
        "Authorization: Bearer canary-canary",
        "GRANT ALL ON region.* TO 'rbd'@'%' IDENTIFIED BY 'canary'",
        "mysql --password canary -h 10.0.0.20",
        "nerdctl login --password=canary goodrain.me",
        KEY.replace("MIIcanary", "canary"),
        json.dumps({"client.key.pem": KEY.replace("MIIcanary", "canary")}),
        KEY.replace("MIIcanary", "canary")[:-20],
        "    client-key-data: canary",
        "region.key.pem: canary",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.canary",
        ".dockerconfigjson: canary",
        "REGISTRY_SECRET_KEY=canary",
        '[\n "--admin-password",\n "canary"\n]',
        r"{\"name\":\"MYSQL_PASS\",\"value\":\"canary\"}",
    ],
)  # fmt: skip
def test_a_secret_is_masked_by_its_form(text: str) -> None:
    masked = mask(text)
    assert "canary" not in masked
    assert MARK in masked
    assert mask(masked) == masked, "what is masked stays as it is"


def test_json_stays_json() -> None:
    told = {"a": [{"password": "canary", "name": "x"}], "env": [{"name": "MYSQL_PASS", "value": "canary"}], "key": "k"}
    for indent in (None, 1):
        masked = json.loads(mask(json.dumps(told, indent=indent)))
        assert masked == {
            "a": [{"password": MARK, "name": "x"}], "env": [{"name": "MYSQL_PASS", "value": MARK}], "key": "k",
        }  # fmt: skip


def test_a_private_key_in_base64_is_masked_and_a_certificate_is_not() -> None:
    key = base64.b64encode(KEY.encode()).decode()
    certificate = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----").decode()
    assert key not in mask(f"tls.key is {key}")
    assert certificate in mask(f"certificate-authority-data: {certificate}")


@pytest.mark.parametrize(
    "text",
    [
        "mysql: {mode: external, host: 10.0.0.20, username: rbd, password: secret:mysql}",
        "sudo_password: secret:sudo",
        "automountServiceAccountToken: true",
        "    secretName: rbd-etcd-secret",
        "pod/rbd-api-0   1/1   Running   0   5m   10.42.0.7   node1   <none>",
        "Mounts: /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-abcde (ro)",
        "rke2[812]: Waiting for etcd server to become available",
        "authentication_type PASS",
        "passing over 3 nodes",
        "password: ",
        "    auth:\n      username: admin",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == text


def test_a_long_text_takes_no_time() -> None:
    text = 'level=info msg="nothing to see" token_like_name_but_no_value ' * 4_000
    assert mask(text) == text
