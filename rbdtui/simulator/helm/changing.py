"""SIMULATED helm: the commands that change a release."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rbdtui.simulator.chart import Tree, manifest, read_chart, read_manifest
from rbdtui.simulator.helm import hooks
from rbdtui.simulator.helm.api import ApiError, Client, HelmError, client_of
from rbdtui.simulator.helm.reading import say, show_status
from rbdtui.simulator.helm.releases import PENDING, Releases, moment
from rbdtui.simulator.helm.rendering import marked, rendered, values_of

_PATHS: Final[Mapping[str, tuple[str, bool]]] = {
    "Namespace": ("/api/v1/namespaces", False),
    "ServiceAccount": ("/api/v1", True),
    "ConfigMap": ("/api/v1", True),
    "Secret": ("/api/v1", True),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", False),
    "Deployment": ("/apis/apps/v1", True),
    "Service": ("/api/v1", True),
    "StatefulSet": ("/apis/apps/v1", True),
    "Job": ("/apis/batch/v1", True),
    "ValidatingWebhookConfiguration": (
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        False,
    ),
    "User": ("/apis/iam.kubesphere.io/v1beta1/users", False),
    "WorkspaceTemplate": ("/apis/tenant.kubesphere.io/v1beta1/workspacetemplates", False),
    "RainbondPackage": ("/apis/rainbond.io/v1alpha1", True),
    "RainbondVolume": ("/apis/rainbond.io/v1alpha1", True),
    "RainbondCluster": ("/apis/rainbond.io/v1alpha1", True),
    "RbdComponent": ("/apis/rainbond.io/v1alpha1", True),
}


def _path_of(item: Tree) -> tuple[str, str]:
    """The collection of an object, and its own path."""
    base, namespaced = _PATHS[item["kind"]]
    if namespaced:
        base = f"{base}/namespaces/{item['metadata']['namespace']}/{item['kind'].lower()}s"
    return base, f"{base}/{item['metadata']['name']}"


def upgrade(options: argparse.Namespace) -> None:
    """``upgrade NAME CHART [--install]``, and ``install``."""
    chart = read_chart(Path(options.chart))
    given, values = values_of(options, chart.values)
    client, namespace = client_of(options), options.namespace
    client.ask("GET", "/version")
    releases = Releases(client, namespace)
    history = releases.all(options.name)
    last = history[-1] if history else None
    if last is not None and last["info"]["status"] in PENDING:
        raise HelmError("UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress")
    if last is None and not options.install:
        raise HelmError(f'UPGRADE FAILED: "{options.name}" has no deployed releases')
    made, around = hooks.parted(rendered(chart, values, namespace))
    objects = [marked(each, options.name, namespace) for each in made]
    release = _release(options.name, namespace, chart.about, given, chart.values, manifest(objects), last)
    release["hooks"] = around
    if last is None:
        _install(client, releases, release, chart.definitions, objects, create=options.create_namespace)
    else:
        _change(client, releases, release, last, history)
    try:
        hooks.run(client, around, f"post-{'upgrade' if last else 'install'}", options.timeout, _path_of)
    except HelmError as error:
        release["info"] |= {"status": "failed", "description": str(error)}
        releases.write(release)
        raise
    release["info"] |= {"status": "deployed", "description": "Install complete" if last is None else "Upgrade complete"}
    releases.write(release)
    show_status(options, release)


def _release(name: str, namespace: str, about: Tree, given: Tree, defaults: Tree, text: str, last: Tree | None) -> Tree:
    first = last["info"]["first_deployed"] if last else moment()
    status, words = (
        ("pending-upgrade", "Preparing upgrade") if last else ("pending-install", "Initial install underway")
    )
    info = {
        "first_deployed": first, "last_deployed": moment(), "deleted": "", "description": words, "status": status,
        "notes": "SIMULATED",
    }  # fmt: skip
    return {
        "name": name,
        "info": info,
        "chart": {"metadata": about, "values": defaults},
        "config": given,
        "manifest": text,
        "version": (last["version"] if last else 0) + 1,
        "namespace": namespace,
    }


def _install(
    client: Client,
    releases: Releases,
    release: Tree,
    definitions: tuple[Tree, ...],
    objects: list[Tree],
    *,
    create: bool,
) -> None:
    namespace = release["namespace"]
    if client.find(f"/api/v1/namespaces/{namespace}") is None:
        if not create:
            raise HelmError(f'create: failed to create: namespaces "{namespace}" not found')
        client.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace, "labels": {"name": namespace}}})
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for definition in definitions:
        if client.find(f"{path}/{definition['metadata']['name']}") is None:
            client.ask("POST", path, definition)
    for item in objects:
        _refuse_foreign(client, item, "install")
    releases.write(release)
    _make(client, releases, release, objects, "INSTALLATION FAILED")


def _refuse_foreign(client: Client, item: Tree, word: str) -> None:
    """An object that is there already and not this release's; raises `HelmError`."""
    found = client.find(_path_of(item)[1])
    if found is None:
        return
    metadata, wanted = found["metadata"], item["metadata"]
    faults = []
    if metadata.get("labels", {}).get("app.kubernetes.io/managed-by") != "Helm":
        faults.append('label validation error: missing key "app.kubernetes.io/managed-by": must be set to "Helm"')
    for key, value in wanted["annotations"].items():
        if metadata.get("annotations", {}).get(key) != value:
            faults.append(f'annotation validation error: missing key "{key}": must be set to "{value}"')
    if faults:
        kind, name = item["kind"], wanted["name"]
        where = f'{kind} "{name}" in namespace "{wanted.get("namespace", "")}"'
        title = "UPGRADE FAILED: Unable" if word == "update" else "Unable"
        raise HelmError(
            f"{title} to continue with {word}: {where} exists and cannot be imported into the current release: "
            f"invalid ownership metadata; {'; '.join(faults)}"
        )


def _make(client: Client, releases: Releases, release: Tree, objects: list[Tree], title: str) -> None:
    try:
        for item in objects:
            collection, own = _path_of(item)
            if client.find(own) is None:
                client.ask("POST", collection, item)
    except ApiError as error:
        release["info"] |= {"status": "failed", "description": str(error)}
        releases.write(release)
        raise HelmError(f"{title}: {error}") from None


def _change(client: Client, releases: Releases, release: Tree, last: Tree, history: list[Tree]) -> None:
    """Carry over what differs between the texts of two releases; all else stays as somebody left it."""
    old = {_path_of(item)[1]: item for item in read_manifest(last["manifest"])}
    new = {_path_of(item)[1]: item for item in read_manifest(release["manifest"])}
    for path, item in new.items():
        if path not in old:
            _refuse_foreign(client, item, "update")
    releases.write(release)
    _make(client, releases, release, list(new.values()), "UPGRADE FAILED")
    for path, item in new.items():
        patch = difference(old[path], item) if path in old else {}
        if patch:
            client.ask("PATCH", path, patch, "application/merge-patch+json")
    for path in old.keys() - new.keys():
        if client.find(path) is not None:
            client.ask("DELETE", path)
    for each in history:
        if each["info"]["status"] == "deployed":
            each["info"]["status"] = "superseded"
            releases.write(each)


def difference(old: Any, new: Any) -> Any:
    """The merge patch that makes one tree of another; empty when they are the same."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch: Tree = dict.fromkeys(old.keys() - new.keys())
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif old[key] != value:
            patch[key] = difference(old[key], value)
    return patch


def rollback(options: argparse.Namespace) -> None:
    """``rollback NAME [REVISION]``."""
    client = client_of(options)
    releases = Releases(client, options.namespace)
    history = releases.all(options.name)
    last = releases.last(options.name)
    number = int(options.revision or 0) or last["version"] - 1
    wanted = next((each for each in history if each["version"] == number), None)
    if wanted is None:
        raise HelmError(f"release: not found: revision {number}")
    release = wanted | {"version": last["version"] + 1, "info": dict(wanted["info"])}
    release["info"] |= {"status": "pending-rollback", "last_deployed": moment()}
    _change(client, releases, release, last, [*history, last])
    if last["info"]["status"] in PENDING:
        last["info"]["status"] = "superseded"
        releases.write(last)
    release["info"] |= {"status": "deployed", "description": f"Rollback to {number}"}
    releases.write(release)
    say("Rollback was a success! Happy Helming!")


def uninstall(options: argparse.Namespace) -> None:
    """``uninstall NAME``."""
    client = client_of(options)
    releases = Releases(client, options.namespace)
    if not releases.all(options.name):
        if options.ignore_not_found:
            return
        raise HelmError(f"uninstall: Release not loaded: {options.name}: release: not found")
    last = releases.last(options.name)
    around = [] if options.no_hooks else last.get("hooks", [])
    for item in reversed(read_manifest(last["manifest"])):
        path = _path_of(item)[1]
        if client.find(path) is not None:
            client.ask("DELETE", path)
    hooks.run(client, around, "post-delete", options.timeout, _path_of)
    releases.remove(options.name)
    say(f'release "{options.name}" uninstalled')
