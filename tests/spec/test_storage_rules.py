"""The rules on storage and on Rainbond 5.17's etcd, each on a plan with one mistake."""

from __future__ import annotations

import pytest

from rbdtui.findings import Severity
from rbdtui.paths import assets_dir
from rbdtui.words import LANGUAGES, say
from tests.spec.samples import judged

V5, V6 = ((assets_dir() / "examples" / f"{name}.yaml").read_text() for name in ("rainbond-5.17", "three-node"))
NFS = "{mode: nfs, server: 10.0.0.30, path: /data/rainbond}"
EXTERNAL = "ca: /x/ca, cert: /x/cert, key: /x/key"


def plan(text: str, **sections: str) -> str:
    """An example with sections of its own in place of those that it has."""
    kept, skipping = [], False
    for line in text.splitlines():
        if not line.startswith((" ", "#")) and line.strip():
            skipping = line.split(":")[0] in sections
        if not skipping:
            kept.append(line)
    return "\n".join([*kept, *(f"{name}: {section}" for name, section in sections.items())]) + "\n"


def found(text: str) -> list[tuple[str, str]]:
    rooms = ("RBD-STORAGE-", "RBD-ETCD-", "RBD-SPEC-")
    findings = [finding for finding in judged(text) if finding.code.startswith(rooms)]
    for finding in findings:
        for language in LANGUAGES:
            assert "{" not in say(finding.message, language) + say(finding.remedy, language)
    return [(finding.code, finding.place.field) for finding in findings]


def options(*values: str) -> str:
    return f"{NFS[:-1]}, mount_options: [{', '.join(values)}]}}"


def made(path: str) -> str:
    return f"{{mode: nfs-server, node: node1, path: '{path}'}}"


def with_copy(copy: str) -> str:
    return f"{made('/data/rainbond')[:-1]}, copy_node: {copy}}}"


ACCEPTED = "[{code: RBD-STORAGE-014, reason: a backup is all we want}]"


@pytest.mark.parametrize("text", [V5, V6], ids=["5.17", "6"])
def test_the_examples_have_nothing_to_complain_of(text: str) -> None:
    assert found(text) == []


MODE, SERVER, FIRST = "storage.mode", "storage.server", "storage.mount_options[0]"
CLASS = "{mode: storage-class, storage_class: ceph}"
CASES = [
    (V5, {"storage": CLASS}, [("RBD-STORAGE-001", MODE)]),
    (V6, {"storage": CLASS, "rainbond": "{version: v6.3.3-release}"}, [("RBD-STORAGE-002", MODE)]),
    (V6, {"storage": CLASS, "rainbond": "{version: v6.4.0-release}"}, []),
    (V6, {"storage": CLASS}, []),
    (V6, {"storage": NFS, "rainbond": "{version: v6.2.1-release}"}, [("RBD-STORAGE-003", MODE)]),
    (V6, {"storage": NFS, "rainbond": "{version: v6.9.8-release}"}, []),
    (V6, {"storage": "{mode: builtin}", "rainbond": "{version: v6.7.2-release}"}, [("RBD-STORAGE-004", MODE)]),
    (V6, {"storage": "{mode: builtin}", "rainbond": "{version: v6.7.1-release}"}, []),
    (V6, {"storage": made("/data/rainbond")}, [("RBD-STORAGE-010", "storage.node")]),
    (
        V6, {"storage": with_copy("node2")},
        [
            ("RBD-STORAGE-010", "storage.node"),
            ("RBD-STORAGE-014", "storage.copy_node"),
            ("RBD-STORAGE-015", "storage.copy_node"),
        ],
    ),
    (
        V6, {"storage": with_copy("node2"), "acknowledged": ACCEPTED},
        [("RBD-STORAGE-010", "storage.node"), ("RBD-STORAGE-014", "storage.copy_node")],
    ),
    (
        V6, {"storage": with_copy("node1"), "acknowledged": ACCEPTED},
        [("RBD-STORAGE-010", "storage.node"), ("RBD-STORAGE-013", "storage.copy_node")],
    ),
    (V6, {"storage": made("/data/a b")}, [("RBD-STORAGE-010", "storage.node"), ("RBD-STORAGE-011", "storage.path")]),
    (V6, {"storage": made("/data/")}, [("RBD-STORAGE-010", "storage.node"), ("RBD-STORAGE-011", "storage.path")]),
    (V6, {"storage": made("/etc/x")}, [("RBD-STORAGE-010", "storage.node"), ("RBD-STORAGE-012", "storage.path")]),
    (
        V6, {"storage": made("/var/lib/rancher/x")},
        [("RBD-STORAGE-010", "storage.node"), ("RBD-STORAGE-012", "storage.path")],
    ),
    (V6, {"storage": made("/var/lib/rancher2")}, [("RBD-STORAGE-010", "storage.node")]),
    (
        V6, {"storage": made("/data/rainbond")[:-1] + ", mount_options: [soft]}"},
        [("RBD-STORAGE-010", "storage.node"), ("RBD-STORAGE-007", FIRST)],
    ),
    (V6, {"storage": "{mode: nfs-server, path: /data}"}, [("RBD-SPEC-043", "storage.node")]),
    (V6, {"storage": options("no_root_squash")}, [("RBD-STORAGE-005", FIRST)]),
    (V6, {"storage": options('"nfsvers=4.1,anonuid=0"')}, [("RBD-STORAGE-005", FIRST)]),
    (V6, {"storage": options("nconnect=4", "nolock")}, [("RBD-STORAGE-006", "storage.mount_options[1]")]),
    (V6, {"storage": options("soft")}, [("RBD-STORAGE-007", FIRST)]),
    (V6, {"storage": options("ro")}, [("RBD-STORAGE-008", FIRST)]),
    (V6, {"storage": options("hard", '"nfsvers=4.1"', "noatime", "rw", "sec=sys")}, []),
    (V6, {"storage": NFS.replace("10.0.0.30", "127.0.0.1")}, [("RBD-STORAGE-009", SERVER)]),
    (V6, {"storage": NFS.replace("10.0.0.30", "localhost")}, [("RBD-STORAGE-009", SERVER)]),
    (V6, {"storage": NFS.replace("10.0.0.30", "10.0.0.11")}, [("RBD-STORAGE-010", SERVER)]),
    (V6, {"storage": NFS.replace("10.0.0.30", "node2")}, [("RBD-STORAGE-010", SERVER)]),
    (V5, {"etcd": "{mode: builtin}"}, [("RBD-ETCD-002", "etcd.mode")]),
    (V5, {"etcd": "{mode: builtin}", "storage": "{mode: builtin}"}, [("RBD-ETCD-003", "etcd.mode")]),
    (V5, {"etcd": f'{{mode: external, endpoints: ["a:2379", "b:2379", "c:2379"], {EXTERNAL}}}'}, []),
    (
        V5, {"etcd": f'{{mode: external, endpoints: ["a:2379", "b:2379", "a:2379", "c:2379"], {EXTERNAL}}}'},
        [("RBD-ETCD-004", "etcd.endpoints[2]")],
    ),
    (
        V5, {"etcd": f'{{mode: external, endpoints: ["127.0.0.1:2379", "b:2379", "c:2379"], {EXTERNAL}}}'},
        [("RBD-ETCD-005", "etcd.endpoints[0]")],
    ),
    (
        V5, {"etcd": f'{{mode: external, endpoints: ["a:2379", "b:2380", "c:2379"], {EXTERNAL}}}'},
        [("RBD-ETCD-006", "etcd.endpoints[1]")],
    ),
    (V5, {"etcd": f'{{mode: external, endpoints: ["a:2379"], {EXTERNAL}}}'}, [("RBD-ETCD-007", "etcd.endpoints")]),
    (
        V5, {"etcd": f'{{mode: external, endpoints: ["a:2379", "b:2379"], {EXTERNAL}}}'},
        [("RBD-ETCD-008", "etcd.endpoints")],
    ),
]  # fmt: skip


def test_only_what_is_inside_claims_room() -> None:
    outside = {
        "mysql": "{mode: external, host: 10.0.0.40, username: rbd, password: secret:mysql}",
        "registry": "{mode: external, domain: hub.lan}",
    }
    text = plan(V6, storage="{mode: builtin}", rainbond="{version: v6.9.3-release}", **outside)
    (finding,) = [finding for finding in judged(text) if finding.code == "RBD-STORAGE-004"]
    assert "205 GiB for its own data: minio 100, rbd-monitor 100, rbd-app-ui 5." in str(finding.message)


@pytest.mark.parametrize(("text", "sections", "expected"), CASES, ids=[str(list(case[1].values())) for case in CASES])
def test_each_mistake_is_told_at_its_field(
    text: str, sections: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    assert found(plan(text, **sections)) == expected


def test_reuse_needs_members_to_reuse() -> None:
    text = V5.replace("[control-plane, etcd, worker, gateway, build]", "[control-plane, worker, gateway, build]")
    errors = {finding.code for finding in judged(text) if finding.severity is Severity.ERROR}
    assert "RBD-ETCD-001" in errors
