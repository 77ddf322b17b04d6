"""Texts that nobody should import: whatever they are, no importer raises, takes long, or lets anything act."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rbdtui.importers import FORMATS, Imported, importer_named, recognised
from rbdtui.importers.decoding import NotTextError, decoded
from rbdtui.importers.imported import Hidden

LIMIT_S = 2.0
"""Of processor time, for 20 000 lines."""


def hosts(count: int, line: str) -> str:
    return "".join(line.format(n=n, a=f"10.{n // 65536}.{n // 256 % 256}.{n % 256}") for n in range(count))


LONG: dict[str, Callable[[int], str]] = {
    "csv": lambda count: "name,ip,user,password,roles\n" + hosts(count, "node{n},{a},root,Secret{n},worker\n"),
    "csv without titles": lambda count: hosts(count, "{a} root Secret{n}\n"),
    "hosts": lambda count: "127.0.0.1 localhost\n" + hosts(count, "{a} node{n}.lan node{n}\n"),
    "ssh-config": lambda count: hosts(count // 3, "Host node{n}\n  HostName {a}\n  ProxyJump node{n}x\n"),
    "ssh-config of patterns": lambda count: hosts(count // 2, "Host *a*b*{n} node{n}\n  User u\n  HostName {a}\n"),
    "ansible": lambda count: "[all]\n" + hosts(count // 2, "node{n} ansible_host={a}\n") + "[kube_node]\n"
    + hosts(count // 2, "node{n}\n"),
    "ansible groups": lambda count: hosts(count // 3, "[g{n}]\nnode{n} ansible_host={a}\n[g{n}:vars]\n"),
    "ansible children": lambda count: hosts(count // 2, "[g{n}:children]\ng1{n}\n") + "[g1:vars]\nansible_user=x\n",
    "ansible ranges": lambda count: hosts(count, "n{n}-[1:250] ansible_user=x\n"),
    "roi": lambda count: "hosts:\n" + hosts(count // 2, "- {{name: n{n}, address: {a}, password: S{n}}}\n")
    + "roleGroups:\n  worker:\n" + hosts(count // 2, "  - n{n}\n"),
    "kubekey": lambda count: "apiVersion: kubekey.kubesphere.io/v1alpha2\nspec:\n  hosts:\n"
    + hosts(count // 2, "  - {{name: n{n}, address: {a}, x{n}: y}}\n") + "  roleGroups:\n    worker:\n"
    + hosts(count // 2, "    - n{n}\n"),
    "ansible-yaml": lambda count: "all:\n  hosts:\n" + hosts(count // 2, "    n{n}:\n      ansible_host: {a}\n"),
    "ansible-vars": lambda count: "kube_version: a\n" + hosts(count, "k{n}: v\n"),
    "documents": lambda count: "apiVersion: kubekey.kubesphere.io/v1\n" + "---\nkind: Inventory\n" * (count // 2),
    "k0sctl": lambda count: "apiVersion: k0sctl.k0sproject.io/v1\nspec:\n  hosts:\n"
    + hosts(count // 2, "  - role: worker\n    ssh: {{address: {a}}}\n"),
    "rke1": lambda count: "nodes:\n" + hosts(count // 2, "- address: {a}\n  role: [controlplane]\n"),
    "duplicates": lambda count: "hosts: []\nroleGroups:\n" + "  worker: [a]\n" * count,
    "brackets": lambda count: "hosts:\nroleGroups: " + "[" * count,
    "blanks": lambda count: ("[all]\n" + " " * 90 + "\n") * (count // 2),
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_twenty_thousand_lines_take_no_time(name: str) -> None:
    text = LONG[name](20_000)
    began = time.process_time()
    importer = recognised(text)
    assert importer is not None
    imported = importer.read(text)
    assert time.process_time() - began < LIMIT_S * 1.5
    assert len(imported.refusals) + len(imported.remarks) <= 400
    assert "Secret1" not in repr(imported)


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
HALVES = [
    "[all]\nhosts:\n  - {name: a, address: 10.0.0.1}\nroleGroups:\n",
    "hosts:\nroleGroups:\n" + BOMB,
    "name,ip\n[all]\na ansible_host=10.0.0.1\n",
    "apiVersion: kubekey.kubesphere.io/v1alpha2\nspec: [1, 2]\n",
    "apiVersion: kubekey.kubesphere.io/v1alpha2\nspec: {hosts: {a: b}, roleGroups: [x]}\n",
    "apiVersion: k0sctl.k0sproject.io/v1beta1\nspec: {hosts: [{ssh: x}, y, [z]], k0s: 3}\n",
    "nodes:\n  - controlplane\n  - {role: {a: b}}\n",
    "all:\n  hosts: [a, b]\n  children: x\n",
    "all:\n  children:\n    a: {hosts: {b: {ansible_host: {c: d}, ansible_port: [1]}}}\n",
    "loadbalancer_apiserver: [1]\nkube_version: {a: {b: {c: {d: {e: {f: g}}}}}}\n",
    "Host a\n\x1b]0;owned\x07 HostName \x1b[2J10.0.0.1\n\x1b[31mPort 22\n",
    "127.0.0.1 localhost\n10.0.0.1 \x1b[2Jnode\x9b1m\n",
    "\ufeffname,ip\n\u202enode1,10.0.0.1\n",
    "<html><body>hosts: roleGroups:</body></html>",
    '{"hosts": [{"name": "a", "address": "10.0.0.1"}], "roleGroups": {}}',
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("text", HALVES)
def test_half_another_format_is_read_as_any(name: str, text: str) -> None:
    assert shown(importer_named(name).read(text)).isprintable()


def shown(imported: Imported) -> str:
    """All that is said of it."""
    notes = [*imported.refusals, *imported.remarks]
    nodes = [f"{node.name} {node.address} {node.user} {node.key}" for node in imported.nodes]
    return " ".join([f"{note.text} {note.why}" for note in notes] + nodes)


PIECES = st.sampled_from(
    ["hosts:", "  hosts:", "nodes:", "roleGroups:", "spec:", "all:", "children:", "[all]", "[a:vars]", "[a:children]",
     "Host *", "Host a", "HostName 10.0.0.1", "ProxyJump a", "name,ip,password", "apiVersion: kubekey.kubesphere.io/v1",
     "apiVersion: kubekey.kubesphere.io/v1alpha2", "kind: Inventory", "---", "- {name: a, address: 10.0.0.1}",
     "10.0.0.1 a b c", "a ansible_host=10.0.0.1", "a,10.0.0.1,x", "worker: [a, 'b[1:3]']", "&a *a", "\t", "::1 x", "\"",
     "'", "#", "a[1:", "role: [controlplane]", "connector: {type: local}", "groups: {etcd: {hosts: [a]}}"]
)  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(["", "  ", "    ", "- "]), st.one_of(PIECES, st.text(max_size=12))), max_size=14)
)
@example([("", "[all]"), ("", "\u2028")])
def test_no_text_makes_an_importer_raise(lines: list[tuple[str, str]]) -> None:
    text = "\n".join(indent + piece for indent, piece in lines)
    found = recognised(text)
    assert found is None or found.name in FORMATS
    for name in FORMATS:
        imported = importer_named(name).read(text)
        assert all(note.line >= 0 for note in (*imported.refusals, *imported.remarks))


@given(st.binary(max_size=64))
@example(b"\xff\xfe\xd8")
def test_no_bytes_make_decoding_raise_anything_else(content: bytes) -> None:
    with suppress(NotTextError):
        assert "\0" not in decoded(content, "file")


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ('name,ip,密码\na,10.0.0.1,"a,""b#, c"', 'a,"b#, c'),
        ("name,ip,password\na,10.0.0.1,Pa #x，y", "Pa #x，y"),
        ("name\tip\tpassword\na\t10.0.0.1\t{x}", "{x}"),
        ("10.0.0.1 root Pa#s", "Pa#s"),
        ("a ansible_host=10.0.0.1 ansible_ssh_pass='x #y=z'", "x #y=z"),
        ('[all]\na ansible_host=10.0.0.1 ansible_ssh_pass="x;\'y"', "x;'y"),
        ("[all]\na ansible_host=10.0.0.1 ansible_ssh_pass=a#b\\c", "a#b\\c"),
    ],
)
def test_a_password_is_taken_letter_for_letter(text: str, password: str) -> None:
    importer = recognised(text)
    assert importer is not None
    imported = importer.read(text)
    assert [node.password for node in imported.nodes] == [Hidden(password)]


@pytest.mark.parametrize(
    "text", ["10.0.0.1 root Pa#s，1", "name: a ip: 10.0.0.1 password='x y'", "a,10.0.0.1,root,'x#y"]
)
def test_a_password_that_cannot_be_told_for_sure_is_left_out(text: str) -> None:
    importer = recognised(text)
    assert importer is not None
    imported = importer.read(text)
    assert [node.password for node in imported.nodes] in ([], [None])
    assert imported.refused + imported.remarked == 1
