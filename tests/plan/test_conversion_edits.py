"""Files of a Rainbond 3.6 as the conversion leaves them: what is wanted, every other byte, and once more the same."""

from __future__ import annotations

import pytest
import yaml

from rbdtui.audit.files.compose import read_compose
from rbdtui.audit.files.lines import read_hosts
from rbdtui.plan.conversion import edits
from tests.audit.samples import target

URLS = "urls=http://10.0.0.12:10002-http://10.0.0.13:10002"
PLUGIN = """\
# of the installer
version: '2.1'
services:
  rbd-entrance:
    image: rainbond/rbd-entrance:3.6   # ours
    command:
    - --plugin-name=openresty
    - "--plugin-opts=urls=http://127.0.0.1:10002"
    - --etcd-endpoints=http://10.0.0.11:2379
  rbd-api:
    command: --etcd=http://10.0.0.11:2379 --mysql="root:@tcp(127.0.0.1:3306)/region"
"""


def test_one_option_of_one_service_is_changed_and_every_other_byte_stays() -> None:
    after = edits.option(PLUGIN, "rbd-entrance", "plugin-opts", URLS)
    assert after == PLUGIN.replace("urls=http://127.0.0.1:10002", URLS)
    assert edits.option(after, "rbd-entrance", "plugin-opts", URLS) == after
    one_text = edits.option(PLUGIN, "rbd-api", "etcd", "http://10.0.0.99:2379")
    assert one_text == PLUGIN.replace("--etcd=http://10.0.0.11:2379", "--etcd=http://10.0.0.99:2379")


@pytest.mark.parametrize(
    "text",
    [
        PLUGIN.replace("    command:\n", "    command\n", 1),
        PLUGIN.replace("plugin-opts", "plugin_opts"),
        PLUGIN.replace("  rbd-entrance", "  rbd-entry"),
        PLUGIN.replace("  rbd-api:", "  rbd-entrance:"),
        "",
        "\tservices:",
    ],
)
def test_a_file_that_is_not_as_the_installer_writes_it_is_not_guessed_at(text: str) -> None:
    with pytest.raises(edits.NotEditableError):
        edits.option(text, "rbd-entrance", "plugin-opts", URLS)


def test_fstab_has_one_line_and_what_was_there_is_a_comment() -> None:
    wanted = target()
    server = wanted.computes[1]
    old = "/dev/vda1 / xfs defaults 0 0\n10.0.0.11:/grdata /grdata nfs rw 0 0"
    after = edits.fstab(old, wanted, server)
    assert after.splitlines() == [
        "/dev/vda1 / xfs defaults 0 0",
        "# before rbdtui convert: 10.0.0.11:/grdata /grdata nfs rw 0 0",
        wanted.fstab_line(server),
    ]
    assert "compute02:/data /grdata glusterfs backupvolfile-server=compute01," in after
    assert edits.fstab(after, wanted, server) == after
    by_page = after.replace(",_netdev,nofail", "")
    assert edits.fstab(by_page, wanted, server) == by_page, "as the page has it: it is left alone"


def test_the_first_line_of_a_name_counts_and_no_other_address_is_left() -> None:
    wanted = target()
    salt = "127.0.0.1 localhost manage01\n10.0.0.11\t\tgoodrain.me\n10.0.0.11 lang.goodrain.me own.lan # ours\n"
    after = edits.hosts(salt, edits.all_names(wanted, "aaaa-bbbb"))
    read = read_hosts(after)
    for name, address in edits.all_names(wanted, "aaaa-bbbb").items():
        assert [line.address for line in read.lines if name in line.names] == [address], name
    assert "10.0.0.11 own.lan # ours\n" in after
    assert "127.0.0.1 localhost\n" in after
    assert edits.hosts(after, edits.all_names(wanted, "aaaa-bbbb")) == after
    step_by_step = edits.hosts(edits.hosts(salt, edits.server_names(wanted)), edits.all_names(wanted, ""))
    assert read_hosts(step_by_step).first("goodrain.me") is not None


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ('HOST_UUID=a\nDNS_SERVERS=1.1.1.1\nREG="false"', 'HOST_UUID=a\nDNS_SERVERS=2.2.2.2\nREG="false"'),
        ("HOST_UUID=a\r\nDNS_SERVERS=1.1.1.1\r\n", "HOST_UUID=a\r\nDNS_SERVERS=2.2.2.2\r\n"),
        ('REG="false"', 'REG="false"\nDNS_SERVERS=2.2.2.2\n'),
        ("DNS_SERVERS=2.2.2.2", "DNS_SERVERS=2.2.2.2"),
    ],
)
def test_resolvers_change_and_the_identity_stays(text: str, after: str) -> None:
    assert edits.resolvers(text, "2.2.2.2") == after
    assert edits.resolvers(after, "2.2.2.2") == after


def test_upstreams_lead_to_the_managing_server_and_nothing_else_changes() -> None:
    text = "upstream lang {\n    server 127.0.0.1:8081; # own\n}\nupstream maven { server 127.0.0.1:8081; }\n"
    text += "upstream registry {\n    server 127.0.0.1:5000;\n}\n"
    text += "server { listen 80; location / { proxy_pass http://lang; } }\n"
    after = edits.upstreams(text, target())
    assert after == text.replace("127.0.0.1", "10.0.0.11")
    assert edits.upstreams(after, target()) == after
    assert edits.upstreams(text.replace("upstream lang", "upstream other"), target()).startswith("upstream lang {\n")
    for wrong in (text.replace("5000;", "5000; server 10.1.1.1:5000;"), text + "}\n", "upstream lang {"):
        with pytest.raises(edits.NotEditableError):
            edits.upstreams(wrong, target())


def test_rbd_dns_alone_keeps_the_sites_resolvers_and_serves_its_three_names() -> None:
    base = """version: '2.1'
services:
  rbd-dns:
    image: rainbond/rbd-dns:3.6
    environment:
      - VERBOSE=true
    command:
    - --nameservers=10.0.0.2,10.0.0.3
    - --recoders=goodrain.me=10.0.0.11,*.goodrain.me=10.0.0.11
    network_mode: host
  rbd-hub:
    image: rainbond/rbd-registry:2.3.1
"""
    after = edits.dns_alone(base, target())
    read = read_compose(after)
    assert set(read.services) == {"rbd-dns"}
    records = read.services["rbd-dns"].option("recoders")
    assert records is not None
    assert records.text.endswith("goodrain.me=10.0.0.100,*.goodrain.me=10.0.0.100")
    assert "console.goodrain.me=10.0.0.11" in records.text
    assert yaml.safe_load(after)["services"]["rbd-dns"]["network_mode"] == "host"
    assert "--nameservers=10.0.0.2,10.0.0.3" in after
    with pytest.raises(edits.NotEditableError):
        edits.dns_alone(base.replace("rbd-dns:", "rbd-names:", 1), target())
