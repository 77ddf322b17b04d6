"""Importing a file into a site and exporting one: what is shown, what is written, and where passwords go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from rbdtui.cli.output import Exit
from rbdtui.paths import asset
from rbdtui.spec.loader import load_spec
from rbdtui.spec.model import GatewayMode
from rbdtui.spec.rules import check_rules
from rbdtui.vault import Vault
from rbdtui.words import LANGUAGES
from tests.cli.console import Said, contents, run, say

PASSPHRASE = "a passphrase for tests"
SECRET = 'It"s #1: $ecret,«密»'
CSV = f"""名称,地址,用户,密码,角色
node1,10.0.0.11,root,"{SECRET.replace('"', '""')}",master worker gateway
node2,10.0.0.12,root,"{SECRET.replace('"', '""')}",worker
node3,10.0.0.999,root,x,worker
"""
SHAPE = Draft202012Validator(json.loads(asset("schemas", "import.schema.json").read_text()))


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    say(capsys, "en", "init", tmp_path / "site", "--example", "kubernetes-only").check(Exit.GOOD)
    return tmp_path / "site"


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE)
    file.chmod(0o600)
    return file


def written(tmp_path: Path, content: str | bytes, name: str = "servers") -> Path:
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def nodes(site: Path) -> list[dict[str, object]]:
    data = load_spec(site / "cluster.yaml").data
    assert data is not None
    assert isinstance(data["nodes"], list)
    return data["nodes"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_table_with_passwords(
    site: Path, passphrase: Path, tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, CSV)
    said = say(capsys, language, "import", site, file, "--yes", "--passphrase-file", passphrase).check(Exit.FINDINGS)
    assert nodes(site) == [
        {"name": "node1", "address": "10.0.0.11", "roles": ["control-plane", "etcd", "worker", "gateway"]},
        {"name": "node2", "address": "10.0.0.12", "roles": ["worker"]},
    ]
    data = load_spec(site / "cluster.yaml").data
    assert data is not None
    assert data["ssh"] == {"user": "root", "port": 22, "password": "secret:ssh"}
    assert Vault.open(site / "secrets.enc", PASSPHRASE).get("ssh") == SECRET
    assert {"en": "line 4", "zh": "第 4 行"}[language] in said.out
    assert "+  - name: node1" in said.out
    assert "RBD-TOPO-003" in said.out
    assert str(file) in said.err.splitlines()[-1]
    assert not any(SECRET in text for text in (said.words, (site / "cluster.yaml").read_text()))
    assert SECRET.encode() not in b"".join(content for _, content in contents(site).values())
    again = say(capsys, language, "import", site, file, "--yes", "--passphrase-file", passphrase)
    again.check(Exit.FINDINGS)
    assert "---" not in again.out


def test_same_name_or_same_address_is_the_same_server(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = "name,ip,user\na,10.0.0.11,ops\nb,10.0.0.12,ops\n"
    say(capsys, "en", "import", site, written(tmp_path, first), "--yes").check(Exit.FINDINGS)
    spec = site / "cluster.yaml"
    spec.write_text(spec.read_text().replace("- name: a", "- name: a   # rack 7"))
    second = "name,ip,user,role\na,10.0.0.21,ops,worker\nc,10.0.0.12,root,master\nd,10.0.0.13,ops,etcd\n"
    said = say(capsys, "en", "import", site, written(tmp_path, second), "--yes").check(Exit.FINDINGS)
    assert [(node["name"], node["address"], node["roles"], node.get("ssh")) for node in nodes(site)] == [
        ("a", "10.0.0.21", ["worker"], None),
        ("c", "10.0.0.12", ["control-plane", "etcd"], {"user": "root"}),
        ("d", "10.0.0.13", ["etcd"], None),
    ]
    assert "# rack 7" in spec.read_text()
    assert "updates b" in said.out


@pytest.mark.parametrize("answer", ["n\n", "\n", "y\n"])
def test_nothing_is_written_before_yes(site: Path, tmp_path: Path, answer: str) -> None:
    before = contents(site)
    said = run("en", "import", site, written(tmp_path, "node1 10.0.0.11\n"), stdin=answer)
    said.check(Exit.FINDINGS)
    assert "+  - name: node1" in said.out
    assert (contents(site) == before) == (answer != "y\n")


def test_nobody_to_ask(site: Path, tmp_path: Path) -> None:
    before = contents(site)
    said = run("zh", "import", site, written(tmp_path, "node1 10.0.0.11\n")).check(Exit.USAGE)
    assert "--yes" in said.err
    assert contents(site) == before


@pytest.mark.parametrize("yes", [False, True])
def test_as_json(
    site: Path, passphrase: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, yes: bool
) -> None:
    before = contents(site)
    words: list[str | Path] = ["import", site, written(tmp_path, CSV), "--json", "--passphrase-file", passphrase]
    said = say(capsys, "en", *words, *(["--yes"] if yes else [])).check(Exit.FINDINGS)
    found = json.loads(said.out)
    SHAPE.validate(found)
    assert found["secrets"] == ["ssh"]
    assert [line["line"] for line in found["not_taken"]] == [4]
    assert found["written"] is yes
    assert (contents(site) == before) is not yes
    assert SECRET not in said.out


def test_a_password_that_another_secret_holds_gets_another_name(
    site: Path, passphrase: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Vault.create(site / "secrets.enc", PASSPHRASE, work=2**14).set("ssh", "of somebody else")
    text = "name,ip,user,password\na,10.0.0.11,root,one-1\nb,10.0.0.12,root,two-2\nc,10.0.0.13,root,one-1\n"
    say(capsys, "en", "import", site, written(tmp_path, text), "--yes", "--passphrase-file", passphrase)
    vault = Vault.open(site / "secrets.enc", PASSPHRASE)
    assert {name: vault.get(name) for name in vault.names()} == {
        "ssh": "of somebody else", "ssh-a": "one-1", "ssh-b": "two-2"
    }  # fmt: skip
    references = [node["ssh"] for node in nodes(site)]
    assert references == [{"password": f"secret:ssh-{owner}"} for owner in "aba"]


def _bad(capsys: pytest.CaptureFixture[str], site: Path, file: Path, *more: str) -> Said:
    before = contents(site)
    said = say(capsys, "zh", "import", site, file, "--yes", *more).check(Exit.USAGE)
    assert contents(site) == before
    assert str(file) in said.err
    return said


@pytest.mark.parametrize(
    "content",
    [
        b"", b"nothing here\n", b"PK\x03\x04\x14\x00", b"node1 10.0.0.11\n\0\0", bytes(range(128, 256)) * 9,
        b"\xff\xfe" + "没有服务器".encode("utf-16-le"), b"\xff\xfe\x00", b"x" * (5 * 1024 * 1024), b"- [\n" * 3000,
        b"apiVersion: rbdtui/v1\nname: a\nnodes:\n  - {name: a, address: 10.0.0.1, roles: [worker]}\n",
        b"<html><body>10.0.0.1 node1</body></html>\n", b'{"address": "10.0.0.1"}\n',
        b"a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]\n", b"\x1b]0;title\x07\x1b[2J\n",
    ],
)  # fmt: skip
def test_what_is_no_list_of_servers_is_said_and_nothing_changes(
    site: Path, tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    _bad(capsys, site, written(tmp_path, content))


def test_what_is_no_file(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path / "absent", tmp_path):
        _bad(capsys, site, place)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gbk", "gb18030"])
def test_every_encoding_of_a_spreadsheet(
    site: Path, tmp_path: Path, encoding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "主机名称\tIP地址\t角色\r\nnode1\t10.0.0.11\tmaster\r\nnode2\t10.0.0.12\tworker\r\n"
    say(capsys, "zh", "import", site, written(tmp_path, text.encode(encoding)), "--yes").check(Exit.FINDINGS)
    assert [(node["name"], node["address"]) for node in nodes(site)] == [("node1", "10.0.0.11"), ("node2", "10.0.0.12")]


def test_a_broken_site_is_told_as_check_does(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "cluster.yaml").write_text("nodes: [")
    said = say(capsys, "en", "import", site, written(tmp_path, "10.0.0.1"), "--yes").check(Exit.FINDINGS)
    assert "RBD-YAML-0" in said.out


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_export_is_the_file_alone_and_what_is_left_out_is_said_beside_it(
    site: Path, tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(site)
    said = say(capsys, language, "export", site, "--format", "kubekey")
    assert said.status == Exit.GOOD
    assert said.out.startswith("apiVersion: kubekey.kubesphere.io/v1alpha2\n")
    assert "gateway" in said.err
    assert "ssh.sudo_password" in said.err
    assert contents(site) == before
    file = written(tmp_path, said.out, "kubekey.yaml")
    again = say(capsys, language, "import", site, file, "--json")
    assert {node["updates"] for node in json.loads(again.out)["nodes"]} == {""}


def test_what_cannot_be_read_is_not_exported(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "cluster.yaml").write_text("name: site\nnodes: 3\n")
    said = say(capsys, "zh", "export", site, "--format", "csv").check(Exit.FINDINGS)
    assert "name,address" not in said.out


def test_250_servers_are_imported_in_time(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import time

    rows = "".join(f"n{number},10.1.{number // 200}.{number % 200 + 1},worker\n" for number in range(20_000))
    began = time.process_time()
    said = say(capsys, "en", "import", site, written(tmp_path, f"name,ip,role\n{rows}"), "--yes").check(Exit.FINDINGS)
    assert time.process_time() - began < 3
    assert len(nodes(site)) == 250
    assert "line 252" in said.out


def test_a_secret_is_never_one_that_the_site_speaks_of_already(
    site: Path, passphrase: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example names secret:sudo for all servers: the password of one must not become that of the others."""
    text = "name,ip,user,sudo密码\na,10.0.0.11,ops,of-a-1\nb,10.0.0.12,ops,\n"
    say(capsys, "en", "import", site, written(tmp_path, text), "--yes", "--passphrase-file", passphrase)
    data = load_spec(site / "cluster.yaml").data
    assert data is not None
    assert data["ssh"] == {"user": "ops", "port": 22, "key": "~/.ssh/id_ed25519"}
    assert [node.get("ssh") for node in nodes(site)] == [{"sudo_password": "secret:sudo"}, None]
    spec = site / "cluster.yaml"
    spec.write_text(spec.read_text().replace("  port: 22\n", "  port: 22\n  password: secret:ssh\n"))
    text = "name,ip,user,password\nc,10.0.0.13,ops,of-c-1\n"
    say(capsys, "en", "import", site, written(tmp_path, text), "--yes", "--passphrase-file", passphrase)
    assert nodes(site)[-1]["ssh"] == {"password": "secret:ssh-c"}


@pytest.mark.parametrize(
    "row",
    [
        "n1,10.0.0.999,root,Pa$$w0rd-9,worker", "n1,10.0.0.[1-2],root,Pa$$w0rd-9,worker",
        "n1,10.0.0.1,root,Pa$$w0rd-9,wat",
        "root Pa$$w0rd-9 10.0.0.1", "10.0.0.1 n1 root Pa$$w0rd-9 what is this", "10.0.0.1 10.0.0.2 n1 root Pa$$w0rd-9",
    ],
)  # fmt: skip
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_line_that_is_not_taken_shows_no_password(
    site: Path, passphrase: Path, tmp_path: Path, row: str, as_json: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"name,ip,user,password,roles\nn0,10.0.0.9,root,,worker\n{row}\n"
    said = say(
        capsys, "en", "import", site, written(tmp_path, text), "--yes", "--passphrase-file", passphrase, *as_json
    )
    said.check(Exit.FINDINGS)
    assert "Pa$$w0rd-9" not in said.words


def test_a_server_without_a_role_among_others_is_a_worker(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "name,ip,roles\na,10.0.0.11,master\nb,10.0.0.12,\n"
    said = say(capsys, "en", "import", site, written(tmp_path, text), "--yes").check(Exit.FINDINGS)
    assert [node["roles"] for node in nodes(site)] == [["control-plane", "etcd"], ["worker"]]
    assert "it becomes a worker" in said.out


HOSTS_INI = """\
[all]
master1 ansible_connection=local  ip=10.0.0.1
master2  ansible_host=10.0.0.2  ip=10.0.0.2  ansible_user=ubuntu  ansible_become_pass=Qcloud@123
master3  ansible_host=10.0.0.3  ip=10.0.0.3  ansible_user=ubuntu  ansible_become_pass=Qcloud@123
node1  ansible_host=10.0.0.4  ip=10.0.0.4  ansible_user=ubuntu  ansible_become_pass=Qcloud@123
[kube-master]
master1
master2
master3
[kube-node]
node1
[etcd]
master1
master2
master3
[k8s-cluster:children]
kube-node
kube-master
"""
COMMON_YAML = """\
kube_version: v1.15.5
kube_pods_subnet: 10.233.64.0/18
apiserver_loadbalancer_domain_name: "lb.kubesphere.local"
loadbalancer_apiserver:
  address: 10.0.0.10
  port: 6443
"""


@pytest.mark.parametrize("order", [("hosts", "common"), ("common", "hosts")])
def test_kubespheres_two_files_are_a_plan_without_a_mistake(
    site: Path, passphrase: Path, tmp_path: Path, order: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"hosts": written(tmp_path, HOSTS_INI, "hosts.ini"), "common": written(tmp_path, COMMON_YAML, "c.yaml")}
    for name in order:
        say(capsys, "en", "import", site, files[name], "--yes", "--passphrase-file", passphrase)
    loaded = load_spec(site / "cluster.yaml")
    assert loaded.spec is not None
    assert [found.code for found in check_rules(loaded.spec, loaded.place)] == ["RBD-API-010"], (
        "what it forwards, a note"
    )
    assert (loaded.spec.gateway.mode, loaded.spec.gateway.vip) == (GatewayMode.NONE, None)
    assert str(loaded.spec.api_address) == "10.0.0.10"
    assert [node.name for node in loaded.spec.servers] == ["master1", "master2", "master3"]


def test_a_vip_that_nodes_hold_is_kept_beside_a_balancer_for_the_api(
    site: Path, passphrase: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, COMMON_YAML, "c.yaml")
    say(capsys, "en", "import", site, file, "--yes", "--passphrase-file", passphrase)
    spec = load_spec(site / "cluster.yaml").spec
    assert spec is not None
    assert spec.gateway.mode is GatewayMode.KEEPALIVED
    assert spec.gateway.vip is not None
