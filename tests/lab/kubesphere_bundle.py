"""The lab's KubeSphere: a chart with the vendor's keys and effects, images of a shell, and a bundle that has both.

It is beside the common bundle, so that nothing of that is built anew: the files are linked, and two are added.
Source: kubesphere/kubesphere@v4.1.3, config/ks-core.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from pathlib import Path

from tests.lab import archive
from tests.lab.bundle import built_programs, busybox, offline_bundle
from tests.lab.cache import Cache, digest
from tests.lab.shell import Progress

_SOURCES = Path(__file__).parent / "kubesphere"
CHART = _SOURCES / "ks-core"
RELEASE, TOOLS = "v4.1.3", "kubectl:v1.27.16"
_IDLE = ("ks-controller-manager", "ks-extensions-museum", "redis", "haproxy")
_TAGS = {"ks-extensions-museum": "v1.1.3", "redis": "7.2.4-alpine", "haproxy": "2.9.6-alpine"}
_SHELL_NAMES = ("sh", "mkdir", "mv", "rm", "printf", "echo", "sleep", "nc", "tail", "httpd", "cat")
_APPROVED = {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/application/pull/2"}
"""Without it the API server refuses a definition of Kubernetes' own groups."""
_DEFINITIONS = (
    ("User", "users", "iam.kubesphere.io/v1beta1", "Cluster"),
    ("GlobalRole", "globalroles", "iam.kubesphere.io/v1beta1", "Cluster"),
    ("Workspace", "workspaces", "tenant.kubesphere.io/v1beta1", "Cluster"),
    ("WorkspaceTemplate", "workspacetemplates", "tenant.kubesphere.io/v1beta1", "Cluster"),
    ("Extension", "extensions", "kubesphere.io/v1alpha1", "Cluster"),
    ("InstallPlan", "installplans", "kubesphere.io/v1alpha1", "Cluster"),
    ("Application", "applications", "app.k8s.io/v1beta1", "Namespaced"),
)


def kubesphere_bundle(cache: Cache, progress: Progress) -> Path:
    """The common bundle with KubeSphere beside it; seconds to build. The caller must not write into it."""
    whole = offline_bundle(cache, progress)

    def build(place: Path) -> None:
        other = shutil.ignore_patterns("rainbond-*", "sha256sum-*")
        shutil.copytree(whole, place, dirs_exist_ok=True, ignore=other, copy_function=os.link)
        images = image_archive(built_programs(cache, progress) / "hyperkube", busybox(cache))
        archive.write_compressed(place / "ks-core-1.1.4.tgz", chart_archive())
        archive.write_compressed(place / "kubesphere-images-amd64.tar.gz", images)
        archive.write_checksums(place, "sha256sum-amd64.txt")

    return cache.entry("spherebundle", digest(_SOURCES, Path(__file__), whole.name), build)


def chart_archive() -> bytes:
    """The chart as a tar, to be compressed; its definitions are in the chart within it, as the vendor's are."""
    files = {str(file.relative_to(CHART)): file.read_bytes() for file in CHART.rglob("*") if file.is_file()}
    for kind, plural, group_version, scope in _DEFINITIONS:
        definition = json.dumps(_definition(kind, plural, group_version, scope)).encode()
        files[f"charts/ks-crds/crds/{plural}.yaml"] = definition
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in sorted(files.items()):
            info = tarfile.TarInfo(f"ks-core/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def image_archive(hyperkube: Path, shell: Path) -> bytes:
    """The images that the chart names with three servers, tar, unpacked: a shell with a program, kubectl for jobs."""

    def layer(*programs: str, kubectl: bool = False) -> bytes:
        files = {"bin/busybox": shell.read_bytes()}
        files |= {f"bin/{name}": (_SOURCES / "programs" / name).read_bytes() for name in programs}
        links = {f"bin/{name}": "busybox" for name in _SHELL_NAMES}
        if kubectl:
            files |= {"bin/kubectl": hyperkube.read_bytes(), "bin/bash": b'#!/bin/sh\nexec /bin/sh "$@"\n'}
        if programs == ("idle",):
            links["bin/controller-manager"] = "idle"

        def write(tar: tarfile.TarFile) -> None:
            for name, content in files.items():
                archive._add(tar, name, content, 0o755)
            for name, target in links.items():
                archive._link(tar, name, target)

        return archive._archive(write)

    layers = {
        "tools": layer(kubectl=True),
        "idle": layer("idle"),
        "ks-apiserver": layer("ks-apiserver"),
        "ks-console": layer("ks-console"),
    }
    images = [archive._Image("tools", (f"docker.io/kubesphere/{TOOLS}",))]
    images += [
        archive._Image(name, (f"docker.io/kubesphere/{name}:{RELEASE}",), entrypoint=(f"/bin/{name}",))
        for name in ("ks-apiserver", "ks-console")
    ]
    images += [
        archive._Image(
            "idle", (f"docker.io/kubesphere/{name}:{_TAGS.get(name, RELEASE)}",), entrypoint=("/bin/idle",),
            env=(f"LAB_STANDS_FOR={name}",),
        )
        for name in _IDLE
    ]  # fmt: skip
    return archive._image_archive(layers, images)


def _definition(kind: str, plural: str, group_version: str, scope: str) -> object:
    group, _, version = group_version.partition("/")
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": _APPROVED if group.endswith(".k8s.io") else {}},
        "spec": {"group": group, "names": names, "scope": scope, "versions": [served]},
    }
