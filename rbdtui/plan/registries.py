"""How containerd of RKE2 comes to its images: registries.yaml, of the built-in registry or of an external one.

Its keys: rancher/rke2-docs, install/private_registry; k3s-io/k3s, pkg/agent/containerd/config.go. RKE2 reads the file
at its start only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from rbdtui.errors import StepError
from rbdtui.plan.cluster import yaml_scalar
from rbdtui.plan.content import Content, SecretRef, fill_asset, plain
from rbdtui.plan.resources.files import header
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.references import local_path
from rbdtui.spec.sections.registry import Registry, RegistryMode, RegistryScheme
from rbdtui.spec.values import SECRET_PREFIX

CA_FILE: Final = "/etc/rancher/rke2/registry-ca.pem"
"""On every node: the certificate of the authority that signed the external registry's."""


def registries_yaml(spec: ClusterSpec, secret: Callable[[str], str]) -> Content | None:
    """``/etc/rancher/rke2/registries.yaml``, with the passwords hidden in what is shown; None where none is needed.

    Name, user and password of the built-in registry are constants of Rainbond 6 (goodrain/rainbond-console,
    script/install-cluster.sh); in 5.17 the password is random, and pods bring it (rbd-hub-credentials).
    """
    if _external(spec) is not None:
        return _of_external(spec, spec.registry, secret)
    asset = spec.profile.registries_asset
    return fill_asset(asset, {"header": header(spec.name)}, secret) if asset else None


def registries_shown(spec: ClusterSpec) -> str:
    """The same for the eye: no secret is asked for; empty where there is no such file."""
    content = registries_yaml(spec, lambda _: "")
    return content.shown if content is not None else ""


def registry_ca(spec: ClusterSpec, site_dir: Path) -> Content | None:
    """The authority's certificate for `CA_FILE`; None without one. Raises `StepError` when it cannot be read."""
    registry = _external(spec)
    if registry is None or registry.ca is None:
        return None
    file = local_path(registry.ca, site_dir)
    try:
        return plain(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StepError("registry_ca", path=str(file), reason=getattr(error, "strerror", None) or "UTF-8") from error


def _external(spec: ClusterSpec) -> Registry | None:
    registry = spec.registry
    named = "registry" in spec.profile.sections and registry.mode is RegistryMode.EXTERNAL
    return registry if named and registry.domain is not None else None


def _of_external(spec: ClusterSpec, registry: Registry, secret: Callable[[str], str]) -> Content:
    name = yaml_scalar(registry.domain or "")
    address = yaml_scalar(f"{registry.scheme.value}://{registry.domain}")
    before = [header(spec.name).rstrip("\n"), "mirrors:", f"  {name}:", "    endpoint:", f"      - {address}"]
    before += ["configs:", f"  {name}:"]
    after: list[str] = []
    if registry.scheme is RegistryScheme.HTTPS:
        if registry.ca is not None:
            after.append(f"      ca_file: {yaml_scalar(CA_FILE)}")
        if registry.insecure_skip_verify:
            after.append("      insecure_skip_verify: true")
    tls = ["    tls:", *after] if after else []
    if registry.username is None or registry.password is None:
        # A registry without settings needs no place among them.
        lines = [*before, *tls] if tls else before[:-2]
        return plain("\n".join(lines) + "\n")
    reference = SecretRef(registry.password.removeprefix(SECRET_PREFIX))
    auth = ["    auth:", f"      username: {yaml_scalar(registry.username)}"]

    def text(password: str) -> str:
        return "\n".join([*before, *auth, f"      password: {password}", *tls]) + "\n"

    actual = text(yaml_scalar(secret(reference.name)))
    return Content(text(str(reference)), actual.encode(), has_secret=True)
