"""The readers of a host's files: what is there with its lines, and mistakes named with theirs, whatever the text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbdtui.audit.files.blocks import read_keepalived, read_nginx
from rbdtui.audit.files.compose import read_compose
from rbdtui.audit.files.gluster import healing_of, online_of, parse_xml, peers_of, volumes_of
from rbdtui.audit.files.lines import read_environment, read_fstab, read_hosts
from rbdtui.audit.rows.dns import records_of

COMPOSE = """\
version: '2.1'
services:
  rbd-entrance:
    image: rainbond/rbd-entrance:3.6
    command:
    - --plugin-name=openresty
    - --plugin-opts=urls=http://10.0.0.12:10002
  rbd-api:
    image: rainbond/rbd-api:3.6
    command: --etcd=http://10.0.0.11:2379 --mysql="root:masked@tcp(10.0.0.11:3306)/region"
"""


def test_services_are_read_with_the_lines_of_their_options() -> None:
    read = read_compose(COMPOSE)
    assert read.problems == ()
    entrance, api = read.services["rbd-entrance"], read.services["rbd-api"]
    option = entrance.option("plugin-opts")
    assert option is not None
    assert (option.text, option.line, entrance.line) == ("urls=http://10.0.0.12:10002", 7, 3)
    assert entrance.option("plugin") is None, "a longer name is another one"
    own = api.option("etcd")
    assert own is not None
    assert own.text == "http://10.0.0.11:2379"


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("rbd-dns:\n    image: x\n   environment:\n      - A=b\n", 3, "yaml"),
        ("rbd-dns:\n  image: x\n", 1, "no_services"),
        ("services:\n- rbd-dns\n", 2, "mapping"),
        ("services:\n  rbd-dns: x\n", 2, "mapping"),
        ("services:\n  a: {image: b}\n  a: {image: c}\n", 3, "twice"),
        ("services:\n  a:\n    command: --x=\"open\n", 2, "quotes"),
        ("services:\n  a:\n    command: it's\n", 2, "quotes"),
        ("- a\n", 1, "mapping"),
        ("", 0, "empty"),
        ("a: *b\n", 1, "yaml"),
        ("\tservices:\n", 1, "yaml"),
    ],
)  # fmt: skip
def test_a_broken_compose_file_is_named_with_its_line(text: str, line: int, key: str) -> None:
    problem = read_compose(text).problems[0]
    assert (problem.text.key, problem.line) == (f"audit.problem.{key}", line)


def test_fstab() -> None:
    read = read_fstab("# c\n/dev/vda1 / xfs defaults\n\nserver:/a\\040b /grdata/ nfs rw,nofail 0 0\nhalf /line\n")
    assert [(line.line, line.device, line.options) for line in read.at("/grdata")] == [
        (4, "server:/a b", ("rw", "nofail"))
    ]
    [problem] = read.problems
    assert (problem.line, problem.text.params) == (5, {"count": 2, "needed": 4})


def test_hosts() -> None:
    read = read_hosts("127.0.0.1 localhost\n10.0.0.11 a b # c\n10.0.0.12 a\nnonsense a\nfe80::1%eth0 z\n")
    first = read.first("a")
    assert first is not None
    assert (first.line, first.address) == (2, "10.0.0.11")
    assert read.first("c") is None, "a comment is no name"
    assert [problem.line for problem in read.problems] == [4]


def test_environment() -> None:
    read = read_environment("; c\nA=1\nA=\"2 3\"\nexport B=1\nC\nREG='false'")
    assert {name: each.value for name, each in read.variables.items()} == {"A": "2 3", "REG": "false"}
    assert [problem.line for problem in read.problems] == [4, 5]


def test_nginx() -> None:
    text = "upstream lang {\n  server 1.2.3.4:8081; # }\n}\nserver { listen 80; location / { return 204; } }\n"
    read = read_nginx(text)
    assert read.problems == ()
    [upstream] = read.root.all("upstream")
    assert (upstream.value, upstream.line, upstream.all("server")[0].value) == ("lang", 1, "1.2.3.4:8081")
    assert [problem.line for problem in read_nginx("a {\nb;\n").problems] == [1]
    assert [problem.line for problem in read_nginx("a;\n}\n").problems] == [2]


def test_keepalived() -> None:
    text = "! c { \nvrrp_instance VI_1\n{\n  priority 100 # of two\n  virtual_ipaddress {\n    10.0.0.100/24\n  }\n}\n"
    read = read_keepalived(text)
    assert read.problems == ()
    [instance] = read.root.all("vrrp_instance")
    addresses = instance.first("virtual_ipaddress")
    assert addresses is not None
    assert (instance.value, instance.line) == ("VI_1", 2)
    assert [block.name for block in addresses.inside] == ["10.0.0.100/24"]
    assert [problem.line for problem in read_keepalived("vrrp_instance A {\n state MASTER\n").problems] == [1]


def test_records() -> None:
    assert records_of("goodrain.me=1.2.3.4, *.goodrain.me=1.2.3.4,,x") == {
        "goodrain.me": "1.2.3.4", "*.goodrain.me": "1.2.3.4", "x": "",
    }  # fmt: skip


def _answer(inside: str, result: str = "0") -> str:
    return f"<?xml version='1.0'?><cliOutput><opRet>{result}</opRet><opErrstr>why</opErrstr>{inside}</cliOutput>"


def test_gluster() -> None:
    peer = "<peer><hostname>c2</hostname><hostnames><hostname>c2</hostname></hostnames><connected>0</connected></peer>"
    [found] = peers_of(parse_xml(_answer(f"<peerStatus>{peer}</peerStatus>")))
    assert (found.names, found.connected) == (("c2",), False)
    brick = "<brick uuid='1'>c1:/b<name>c1:/b</name><isArbiter>1</isArbiter></brick>"
    volume = "<volume><name>data</name><statusStr>Started</statusStr><replicaCount>3</replicaCount>"
    volume += f"<bricks>{brick}</bricks></volume>"
    [seen] = volumes_of(parse_xml(_answer(f"<volInfo><volumes>{volume}</volumes></volInfo>")))
    assert (seen.name, seen.replicas, seen.bricks[0].name, seen.bricks[0].is_arbiter) == ("data", 3, "c1:/b", True)
    nodes = "".join(
        f"<node><hostname>{host}</hostname><path>{path}</path><status>{status}</status></node>"
        for host, path, status in (("c1", "/b", 1), ("c2", "/b", 0), ("Self-heal Daemon", "localhost", 1))
    )
    assert online_of(parse_xml(_answer(nodes))) == {"c1:/b": True, "c2:/b": False}
    status = "<status>Transport endpoint is not connected</status><numberOfEntries>-</numberOfEntries>"
    [left] = healing_of(parse_xml(_answer(f"<brick><name>c1:/b</name>{status}</brick>")))
    assert left.entries is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no XML"),
        ("Connection failed.", "no XML"),
        ("<other/>", "not of gluster"),
        (_answer("", "-1"), "why"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><cliOutput>&b;</cliOutput>', "definition"),
    ],
)
def test_what_is_no_answer_of_gluster_says_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_xml(text)


@settings(deadline=None)  # the first example loads all words, which takes its time on a busy machine
@given(st.text(alphabet=st.sampled_from("{};#!\"'\n \t:-=/*&a.b0<>[]|\\")))
def test_no_text_upsets_a_reader(text: str) -> None:
    last = text.count("\n") + 2
    for read in (read_compose, read_fstab, read_hosts, read_environment, read_nginx, read_keepalived):
        for problem in read(text).problems:
            assert 0 <= problem.line <= last
            assert str(problem.text)


@given(st.text())
def test_no_text_at_all_upsets_the_reader_of_compose_files(text: str) -> None:
    read_compose(text)
    read_compose(f"services:\n  a:\n    command: {text}\n")


def test_depth_is_bounded() -> None:
    assert read_nginx("{" * 100_000).problems
    assert read_compose("[" * 3000).problems
