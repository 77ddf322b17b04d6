"""What people have at hand, pasted: the servers in it are taken, and what is no server is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbdtui.workbench.pasting import ImportedNode, Pasted, addresses_in, read_pasted


def nodes(text: str, *there: dict[str, object]) -> list[tuple[str, str]]:
    return [(node.name, node.address) for node in read_pasted(text, {"nodes": list(there)}).nodes]


def refused(text: str) -> list[tuple[int, str]]:
    return [(refusal.line, str(refusal.why)) for refusal in read_pasted(text, {"nodes": []}).refusals]


def only(text: str) -> ImportedNode:
    (node,) = read_pasted(text, {"nodes": []}).nodes
    return node


def left_out(text: str) -> list[str]:
    return [str(remark.why) for remark in read_pasted(text, {"nodes": []}).remarks]


THREE = [("node1", "10.0.0.11"), ("node2", "10.0.0.12"), ("node3", "10.0.0.13")]


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.11\n10.0.0.12\n10.0.0.13",
        "10.0.0.11 10.0.0.12 10.0.0.13",
        "10.0.0.11, 10.0.0.12, 10.0.0.13",
        "10.0.0.11-13",
        "10.0.0.11-10.0.0.13",
        "10.0.0.11..13",
        "10.0.0.11~13",
        "10.0.0.11至13",
        "10.0.0.[11-13]",
        "10.0.0.[11:13]",
        "10.0.0.[11..13]",
        "10.0.0.{11..13}",
        "10.0.0.{11,12,13}",
        "10.0.0.[11-12, 13]",
        "10.0.0.1[1:3]",
        "root@10.0.0.[11-13]",
        "10.0.0.[11,12],10.0.0.13",
        "node[1-3] 10.0.0.[11-13]",
        "node[1:3],10.0.0.11-13",
        "node{1..3}\t10.0.0.{11..13}",
        # Typed with a Chinese input method.
        "10.0.0.11，10.0.0.12，10.0.0.13",
        "10.0.0.11、10.0.0.12、10.0.0.13",
        "１０.0.0.11\n10。0。0。12\n10．0．0．13",
        "10.0.0.11～13",
        "node1：10.0.0.11\nnode2： 10.0.0.12\nnode3:10.0.0.13",
        "10.0.0.【11-13】",
        "node1\u300010.0.0.11\nnode2\u00a010.0.0.12\nnode3 10.0.0.13",
        # With marks that nobody sees.
        "\ufeff10.0.0.11\u200b node1\n\u200e10.0.0.12\n10.0.0.\u206013",
        # With words and numbers that are no addresses.
        "1 10.0.0.11\n2 10.0.0.12\n3 10.0.0.13",
        "1\tnode1\t10.0.0.11\n2\tnode2\t10.0.0.12\n3\tnode3\t10.0.0.13",
        "1. node1 10.0.0.11\n2) node2 10.0.0.12\n- node3 10.0.0.13",
        "node1 -> 10.0.0.11\nnode2 = 10.0.0.12\nnode3=10.0.0.13",
        # Logins and passwords.
        "10.0.0.11 root Passw0rd\n10.0.0.12 root Passw0rd\n10.0.0.13 root Passw0rd",
        "10.0.0.11 deploy S3cret!\n10.0.0.12 deploy S3cret!\n10.0.0.13 deploy S3cret!",
        "10.0.0.11 22 root Passw0rd\n10.0.0.12 22 root x\n10.0.0.13 2222 admin y",
        "node1 10.0.0.11 root Passw0rd\nnode2 10.0.0.12 root Passw0rd\nnode3 10.0.0.13 root Passw0rd",
        "root@10.0.0.11\nroot@10.0.0.12:2222\nssh -p 22 -i key root@10.0.0.13",
        # A hosts file, whole.
        "127.0.0.1 localhost\n127.0.1.1 jump\n::1 ip6-localhost\nff02::1 ip6-allnodes\n255.255.255.255 broadcasthost\n"
        "10.0.0.11 node1.example.com node1\n10.0.0.12 node2 db cache # comment\n10.0.0.13\tnode3",
        # Inventories of Ansible.
        "[all]\nnode1 ansible_host=10.0.0.11 ip=10.0.0.11 ansible_user=root\nnode2 ansible_host=10.0.0.12\n"
        "node3 ansible_host='10.0.0.13' ansible_port=2222\n"
        "[all:vars]\nansible_user=root\ndomain=10.0.0.99\n[etcd]\nnode1\nnode2\n[kube_node]\nnode[1:3]\n"
        "[k8s_cluster:children]\nkube_control_plane\nkube_node",
        # Hosts as KubeKey's configuration has them.
        '  - {name: node1, address: 10.0.0.11, internalAddress: 172.16.0.11, user: ubuntu, password: "Qc@1"}\n'
        '  - {name: node2, address: 10.0.0.12, internalAddress: "172.16.0.12,fd00::2", user: ubuntu}\n'
        "  - {name: node3, address: 10.0.0.13, privateKeyPath: ~/.ssh/id_rsa}",
        # Tables.
        "name,ip\nnode1,10.0.0.11\nnode2,10.0.0.12\nnode3,10.0.0.13",
        "IP Address;Host Name\n10.0.0.11;node1\n10.0.0.12;node2\n10.0.0.13;node3",
        "| name | ip |\n|------|:--:|\n| node1 | 10.0.0.11 |\n| node2 | 10.0.0.12 |\n| node3 | 10.0.0.13 |",
        "序号\t服务器名称\t业务IP\t操作系统\t登录用户\n1\tnode1\t10.0.0.11\tCentOS 7.9\troot\n"
        "2\tnode2\t10.0.0.12\tUbuntu 22.04.3\troot\n3\tnode3\t10.0.0.13\t麒麟 V10\troot",
        "主机名称\tIP 地址\tSSH 端口（默认 22）\nnode1\t10.0.0.11\t22\nnode2\t10.0.0.12\t\nnode3\t10.0.0.13\t22",
        "主机名,内网IP,外网IP\nnode1,10.0.0.11,203.0.113.5\nnode2,10.0.0.12,203.0.113.6\nnode3,10.0.0.13,",
        "node1 10.0.0.11 control-plane etcd\nnode2 10.0.0.12 master\nnode3 10.0.0.13 worker",
    ],
)  # fmt: skip
def test_three_servers_however_they_are_written(text: str) -> None:
    assert nodes(text) == THREE


@pytest.mark.parametrize(
    ("text", "user", "port", "roles"),
    [
        ("root@10.0.0.11:2222", "root", 2222, ()),
        ("ssh -p 2222 ops@10.0.0.11", "ops", 2222, ()),
        ("root@10.0.0.11 -p 2222", "root", 2222, ()),
        ("ssh 10.0.0.11 -l ops -p2222", "ops", 2222, ()),
        ("10.0.0.11 2222 root Passw0rd", "root", 2222, ()),
        ("10.0.0.11 root 2222 Passw0rd", "root", 2222, ()),
        ("n 10.0.0.11 ubuntu", "ubuntu", None, ()),
        ("10.0.0.11 n root Passw0rd", "root", None, ()),
        ("n ansible_host=10.0.0.11 ansible_user=ops ansible_port=2222", "ops", 2222, ()),
        ("name,ip,role\nn,10.0.0.11,master", "", None, ("control-plane", "etcd")),
        ("name,ip,role\nn,10.0.0.11,master/worker", "", None, ("control-plane", "etcd", "worker")),
        ('n, 10.0.0.11, "etcd, gateway"', "", None, ("etcd", "gateway")),
        ("{name: n, address: 10.0.0.11, roles: [server, build]}", "", None, ("control-plane", "etcd", "build")),
    ],
)
def test_login_port_and_roles(text: str, user: str, port: int | None, roles: tuple[str, ...]) -> None:
    node = only(text)
    assert (node.address, node.user, node.port, node.roles) == ("10.0.0.11", user, port, roles)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name,ip,role\nnode1,10.0.0.11,storage", "storage is not a role"),
        ("管理节点1 10.0.0.11", "管理节点1 cannot be the name of a server"),
        ("10.0.0.11 root Passw0rd", "the password was not taken"),
        ("name,ip,password\nnode1,10.0.0.11,Passw0rd", "the password was not taken"),
        ("节点名称,业务IP,密码\n节点一,10.0.0.11,", "节点一 cannot be the name of a server"),
    ],
)
def test_a_word_of_no_use_costs_no_address(text: str, why: str) -> None:
    assert only(text) == ImportedNode(name="node1", address="10.0.0.11", user=only(text).user)
    (said,) = left_out(text)
    assert said.startswith(why)
    assert refused(text) == []


@pytest.mark.parametrize("word", ["Passw0rd", "S3cret"])
def test_no_password_is_in_what_was_understood(word: str) -> None:
    text = f"10.0.0.11 root {word}\n10.0.0.11 root {word}\nname,ip,密码\nnode2,10.0.0.12,{word}\nnode2,10.0.0.13,{word}"
    read = read_pasted(text, {"nodes": []})
    assert [len(read.nodes), read.refused, read.remarked] == [2, 2, 2]
    assert word not in repr(read)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.0.0.11 10.0.0.12 n", "more than one address"),
        ("10.0.0.11, web, 203.0.113.4", "more than one address"),
        ("10.0.0", "10.0.0 is not an IPv4 address"),
        ("10.0.0.256", "10.0.0.256 is not an IPv4 address"),
        ("22", "22 is not an IPv4 address"),
        ("10.0.0.0/24", "10.0.0.0/24 is a network, not a server"),
        ("fd00::1 n", "IPv6 is not supported yet"),
        ("127.0.0.1", "127.0.0.1 is not a server's own address"),
        ("10.0.0.13-11", "the range goes backwards"),
        ("10.0.0.[13-11]", "the range goes backwards"),
        ("10.0.0.[x-y]", "x-y is neither a number nor a range of numbers"),
        ("10.0.0.[1-300]", "300 in a range; at most 250"),
        ("10.0.0.[250-260]", "10.0.0.256 is not an IPv4 address"),
        ("node[1-3] 10.0.0.[11-12]", "3 names for 2 addresses"),
        ("a b 10.0.0.11", "a and b both stand before the address"),
        ("see 10.0.0.11 for details", "no address and no name"),
        ("no address here", "no address and no name"),
        ("please install node1", "no address and no name"),
        ("n9 10.0.0.300, 10.0.0.11", "n9 10.0.0.300 cannot be the name of a server"),
        ("节点一", "节点一 cannot be the name of a server"),
        ("n,10.0.0.11\nn,10.0.0.12", "the name n is already used"),
        ("10.0.0.11\n10.0.0.11", "10.0.0.11 is already in the list"),
        ("10.0.0.11:99999", "99999 is not a port"),
    ],
)
def test_what_is_not_taken_is_said(text: str, why: str) -> None:
    (said,) = refused(text)
    assert said == (text.count("\n") + 1, why)


def test_lines_that_are_no_rows_of_the_table_above_them_are_read_by_themselves() -> None:
    text = "序号\t服务器名称\t业务IP\n1\tn1\t10.0.0.11\n10.0.0.12 n2\n127.0.0.1 localhost\n10.0.0.[13-14]\n2\tn5\t"
    assert nodes(text)[:2] == [("n1", "10.0.0.11"), ("n2", "10.0.0.12")]
    assert [address for _, address in nodes(text)[2:]] == ["10.0.0.13", "10.0.0.14", ""]
    assert nodes(text)[4] == ("n5", "")
    assert refused(text) == [(4, "127.0.0.1 is not a server's own address")]


def test_the_same_name_behind_two_addresses_is_no_login() -> None:
    assert nodes("10.0.0.11 node1\n10.0.0.12 node1") == [("node1", "10.0.0.11")]


def test_members_of_groups_that_are_known_are_neither_added_nor_refused() -> None:
    text = "[masters]\nn1 ansible_host=10.0.0.11\n[etcd]\nn1\n[workers]\nn1\nn2"
    assert nodes(text) == [("n1", "10.0.0.11"), ("n2", "")]
    assert refused(text) == []


def test_a_list_gives_addresses_to_nodes_that_lack_them() -> None:
    read = read_pasted("n1 10.0.0.11\nn2 10.0.0.12", {"nodes": [{"name": "n1"}]})
    assert read.filled == ("n1",)
    assert [node.address for node in read.nodes] == ["10.0.0.11", "10.0.0.12"]


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("10.0.0.11-12", ["10.0.0.11", "10.0.0.12"]),
        (" 10.0.0.[11,12] ", ["10.0.0.11", "10.0.0.12"]),
        ("10.0.0.11", []),
        ("10.0.0.12-11", []),
        ("node[1-2]", []),
        ("", []),
    ],
)
def test_a_range_in_the_address_of_one_server(text: str, addresses: list[str]) -> None:
    assert addresses_in(text) == addresses


LISTS = st.lists(
    st.sampled_from([
        "10.0.0.11", "10.0.0.", "[11-13]", "{1,2}", "[", "]", "{", "name", "ip", ",", ";", "|", "\t", " ", "\n", ":",
        "=", "-", "-p", "ssh", "root", "master", "ansible_host=", "[all]", "[x:vars]", "密码", "：", "、",
        "\u200b", "\x1b[2J",
        "99999999999", "@", '"', "'", "#", "fd00::1", "127.0.0.1", "node",
    ]),
    max_size=40,
).map("".join)  # fmt: skip


@given(LISTS | st.text(max_size=200))
def test_no_text_makes_it_raise_or_take_what_is_no_server(text: str) -> None:
    read: Pasted = read_pasted(text, {"nodes": []})
    names = [node.name for node in read.nodes]
    assert len(names) == len(set(names))
    assert all(names)
    addresses = [node.address for node in read.nodes if node.address]
    assert len(addresses) == len(set(addresses))
    assert all(remark.text.isprintable() or "\t" in remark.text for remark in (*read.refusals, *read.remarks))
    assert "127.0.0.1" not in addresses
