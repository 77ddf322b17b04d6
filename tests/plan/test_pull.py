"""A node pulls from the built-in registry: what a pod's status says of it."""

from __future__ import annotations

import base64
import json

import pytest

from rbdtui.checks.services.registry_client import Account
from rbdtui.plan.steps.rainbond.pull import pull_secret, pulled


def pod(state: dict[str, object] | None) -> dict[str, object]:
    statuses = [] if state is None else [{"name": "image", "state": state}]
    return {"status": {"phase": "Pending", "containerStatuses": statuses}}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (None, "Pending"),
        ({"waiting": {"reason": "ContainerCreating"}}, "ContainerCreating: "),
        ({"waiting": {"reason": "ErrImagePull", "message": "401 Unauthorized"}}, "ErrImagePull: 401 Unauthorized"),
        ({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}}, "ImagePullBackOff: Back-off"),
        ({"waiting": {"reason": "CreateContainerError", "message": "no command specified"}}, None),
        ({"waiting": {"reason": "RunContainerError", "message": "exec: no such file"}}, None),
        ({"terminated": {"reason": "StartError", "exitCode": 128}}, None),
        ({"running": {}}, None),
    ],
)
def test_what_comes_after_the_pull_is_as_good_as_any(state: dict[str, object] | None, said: str | None) -> None:
    assert pulled(pod(state)) == said


def test_a_pod_that_nobody_has_looked_at_is_not_pulled() -> None:
    assert pulled({}) == ""


def test_the_login_is_as_kubelet_takes_it() -> None:
    secret = pull_secret("goodrain.me", Account("rbd", "p4ss:word"))
    content = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    login = content["auths"]["goodrain.me"]
    assert base64.b64decode(login["auth"]) == b"rbd:p4ss:word"
    assert (login["username"], login["password"]) == ("rbd", "p4ss:word")
