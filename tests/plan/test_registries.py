"""registries.yaml, of the built-in registry and of an external one; never a password in what is shown."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rbdtui.errors import StepError
from rbdtui.plan.registries import CA_FILE, registries_shown, registries_yaml, registry_ca
from rbdtui.plan.steps.rke2_config import ConfigureRke2
from rbdtui.profiles import PROFILES, RAINBOND_6
from rbdtui.spec.model import ClusterSpec
from tests.checks.support import spec_of
from tests.plan.support import bench, carry_out

PASSWORD = string.printable.strip()
RAINBONDS = [profile.name for profile in PROFILES if "registry" in profile.sections]


def external(profile: str = RAINBOND_6.name, **section: object) -> ClusterSpec:
    written = spec_of().model_dump(mode="json", exclude_unset=True)
    return ClusterSpec.model_validate({**written, "profile": profile, "registry": {"mode": "external", **section}})


def read(spec: ClusterSpec) -> Any:
    content = registries_yaml(spec, {"hub": PASSWORD}.__getitem__)
    assert content is not None
    assert PASSWORD not in content.shown
    assert yaml.safe_load(content.shown).keys() == yaml.safe_load(content.actual).keys()
    assert registries_shown(spec) == content.shown
    return yaml.safe_load(content.actual)


@pytest.mark.parametrize("profile", RAINBONDS)
def test_an_external_registry(profile: str) -> None:
    account: dict[str, object] = {"username": "robot$rbd", "password": "secret:hub"}
    assert read(external(profile, domain="hub.corp:5000", ca="/data/ca.pem", **account)) == {
        "mirrors": {"hub.corp:5000": {"endpoint": ["https://hub.corp:5000"]}},
        "configs": {
            "hub.corp:5000": {"auth": {"username": "robot$rbd", "password": PASSWORD}, "tls": {"ca_file": CA_FILE}}
        },
    }
    assert read(external(profile, domain="10.0.0.9:80", scheme="http")) == {
        "mirrors": {"10.0.0.9:80": {"endpoint": ["http://10.0.0.9:80"]}}
    }
    assert read(external(profile, domain="hub.corp", insecure_skip_verify=True)) == {
        "mirrors": {"hub.corp": {"endpoint": ["https://hub.corp"]}},
        "configs": {"hub.corp": {"tls": {"insecure_skip_verify": True}}},
    }


def test_the_built_in_registry_and_none_at_all() -> None:
    no_secret: Callable[[str], str] = dict[str, str]().__getitem__
    built_in = registries_yaml(spec_of(), no_secret)
    assert built_in is not None
    assert yaml.safe_load(built_in.actual)["mirrors"]["goodrain.me"]["endpoint"] == ["https://goodrain.me"]
    without = spec_of(profile=next(profile for profile in PROFILES if "registry" not in profile.sections))
    assert registries_yaml(without, no_secret) is None
    assert registries_shown(without) == ""
    assert registry_ca(without, Path()) is None


def test_the_built_in_registry_of_5_17_has_no_password_to_write() -> None:
    profile = next(profile for profile in PROFILES if profile.name == "rainbond-5.17")
    content = registries_yaml(spec_of(profile=profile), dict[str, str]().__getitem__)
    assert content is not None
    assert yaml.safe_load(content.actual)["configs"] == {"goodrain.me": {"tls": {"insecure_skip_verify": True}}}


async def test_a_node_gets_the_file_and_the_authoritys_certificate(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    section = {"mode": "external", "domain": "hub.corp", "ca": str(authority)}
    async with bench(tmp_path, 3) as at:
        context = at.with_spec(lambda data: data.update(profile=RAINBOND_6.name, registry=section))
        await carry_out(ConfigureRke2("node1"), context)
        assert yaml.safe_load(at.file("/etc/rancher/rke2/registries.yaml"))["configs"]["hub.corp"]["tls"]
        assert at.file(CA_FILE) == authority.read_text()
        authority.unlink()
        with pytest.raises(StepError) as caught:
            await carry_out(ConfigureRke2("node1"), context)
        assert caught.value.code == "registry_ca"
