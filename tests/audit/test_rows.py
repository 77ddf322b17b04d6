"""Row by row: what stands on the hosts, and what the row says of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rbdtui.audit.audit import Level, judge
from rbdtui.audit.facts import ENVIRONMENT, KEEPALIVED, LB_DEFAULT, PILLAR
from rbdtui.audit.row import RowState
from rbdtui.audit.rows import ROWS
from rbdtui.audit.rows.entrance import COMPOSE
from rbdtui.audit.seen import SeenHost
from rbdtui.facts.fact import Output
from rbdtui.simulator.rainbond_3_6 import OldHost, after, before, gluster_text, keepalived_text
from rbdtui.words import LANGUAGES, T, say, use_language
from tests.audit.samples import audited, plan, row_of, seen, states, target, words

Hosts = dict[str, OldHost]
Change = Callable[[Hosts], object]
FIRST, SECOND, MANAGE = "compute01", "compute02", "manage01"


def edited(host: str, path: str, old: str, new: str) -> Change:
    """One piece of one file is another one."""

    def change(hosts: Hosts) -> None:
        text = hosts[host].files[path]
        assert old in text, text
        hosts[host].files[path] = text.replace(old, new, 1)

    return change


def test_before_is_level_1_and_after_is_level_2() -> None:
    found = audited(before(target()))
    assert (found.now, found.version, found.fits) == (Level(1), (3, 6), False)
    assert [text.key.rpartition(".")[2] for text in found.lost[:3]] == ["entrance", "data", "names"]
    done = audited(after(target()))
    assert (done.now, done.fits) == (Level(2), True)
    assert all(state in (RowState.OK, RowState.NOTE) for state in states(done).values()), states(done)
    assert not {"audit.lost.data", "audit.lost.entrance"} & {text.key for text in done.lost}


def test_before_names_every_row_that_the_page_changes() -> None:
    found = states(audited(before(target())))
    as_they_are = {"C1", "C2", "C3", "C4", "C5", "C6", "C14", "C20", "C28", "C30", "C32", "C36", "C38", "C39", "C41",
                   "C42", "C43"}  # fmt: skip
    assert {row for row, state in found.items() if state is not RowState.DIFFERS} == as_they_are


def test_as_the_page_has_it_word_for_word_is_level_2_with_what_could_be_better() -> None:
    """Two copies without an arbiter, no check of rbd-lb, mounts without _netdev, public resolvers."""
    wanted = target("replica-2")
    hosts = after(wanted)
    for server in wanted.computes:
        host, first = hosts[server.name], server.name == FIRST
        host.files[KEEPALIVED] = keepalived_text(wanted, server, priority=100 if first else 50, checked=False)
        base = f"{COMPOSE}/base.yaml"
        host.files[base] = host.files[base].replace("10.0.0.2,10.0.0.3", "8.8.8.8,1.2.4.8")
    for host in hosts.values():
        host.files["/etc/fstab"] = host.files["/etc/fstab"].replace(",_netdev,nofail", "")
    found = audited(hosts, "replica-2")
    assert (found.now, found.fits) == (Level(2), True)
    weak = {row for row, state in states(found).items() if state is RowState.WEAK}
    assert weak == {"C12", "C17", "C18", "C26", "C33", "C34"}
    assert all(row_of(found, each).by_hand for each in weak)


CASES: dict[str, tuple[Change, str, RowState, str]] = {
    "another-host-name": (
        lambda hosts: setattr(hosts[FIRST], "hostname", "node7"), "C4", RowState.DIFFERS, "node7"),
    "kubelet-stopped": (
        lambda hosts: hosts[SECOND].units.update(kubelet=("failed", "enabled")), "C5", RowState.DIFFERS, "failed"),
    "salt-has-an-address-of-its-own": (
        lambda hosts: hosts[MANAGE].files.update({PILLAR: "vip: 10.0.0.99\n"}), "C6", RowState.WEAK, "10.0.0.99"),
    "no-gluster-server": (
        lambda hosts: hosts[SECOND].programs.discard("glusterd"), "C8", RowState.DIFFERS, "glusterd"),
    "no-gluster-client": (
        lambda hosts: hosts[MANAGE].programs.discard("mount.glusterfs"), "C15", RowState.DIFFERS, "mount.glusterfs"),
    "data-on-a-disk-of-its-own": (
        lambda hosts: hosts[MANAGE].mounts.clear(), "C16", RowState.DIFFERS, "/grdata"),
    "no-base-yaml": (
        lambda hosts: hosts[FIRST].files.pop(f"{COMPOSE}/base.yaml"), "C23", RowState.DIFFERS, "base.yaml"),
    "no-keepalived": (
        lambda hosts: hosts[FIRST].programs.discard("keepalived"), "C31", RowState.DIFFERS, "keepalived"),
    "brick-on-the-system-disk": (
        lambda hosts: hosts[FIRST].mounts.pop(), "C7", RowState.DIFFERS, "/data"),
    "disk-by-its-name": (
        edited(FIRST, "/etc/fstab", "UUID=5e2c", "/dev/vdb"), "C7", RowState.WEAK, "/dev/vdb"),
    "fstab-of-half-a-line": (
        edited(FIRST, "/etc/fstab", "/dev/vda1 / xfs defaults 0 0", "/dev/vda1 /"), "C7", RowState.BROKEN, "line 1"),
    "glusterd-not-at-boot": (
        lambda hosts: hosts[FIRST].units.update(glusterd=("active", "disabled")), "C9", RowState.DIFFERS, "disabled"),
    "no-name-of-the-other": (
        edited(MANAGE, "/etc/hosts", "10.0.0.13 compute02", "# 10.0.0.13 compute02"), "C10", RowState.DIFFERS,
        "compute02"),
    "peer-away": (
        lambda hosts: setattr(hosts[FIRST], "gluster", hosts[FIRST].gluster.replace("<connected>1", "<connected>0", 1)),
        "C11", RowState.DIFFERS, "Peer in Cluster"),
    "gluster-does-not-answer": (
        lambda hosts: setattr(hosts[FIRST], "gluster", "== version\nglusterfs 3.12.1\n== peers\nConnection failed."),
        "C11", RowState.UNKNOWN, "no XML"),
    "volume-not-started": (
        lambda hosts: setattr(hosts[FIRST], "gluster", gluster_text(target(), target().computes[0], started=False)),
        "C13", RowState.DIFFERS, "Created"),
    "something-to-heal": (
        lambda hosts: setattr(hosts[FIRST], "gluster", gluster_text(target(), target().computes[0], entries="7")),
        "C13", RowState.DIFFERS, "heal 7"),
    "another-volume": (
        lambda hosts: setattr(hosts[FIRST], "gluster", hosts[FIRST].gluster.replace("<name>data<", "<name>gv0<")),
        "C12", RowState.DIFFERS, "gv0"),
    "brick-elsewhere": (
        lambda hosts: setattr(hosts[FIRST], "gluster", hosts[FIRST].gluster.replace("<name>compute02:/data/glusterfs",
                              "<name>compute02:/other")), "C12", RowState.DIFFERS, "compute02:/other"),
    "old-nfs-line-left": (
        edited(FIRST, "/etc/fstab", "/dev/vda1 / xfs defaults 0 0\n", "10.0.0.11:/grdata /grdata nfs rw 0 0\n"),
        "C17", RowState.DIFFERS, "line 1"),
    "no-spare": (
        edited(SECOND, "/etc/fstab", "backupvolfile-server=compute01,", ""), "C18", RowState.DIFFERS, "line 2"),
    "newer-spelling-of-the-spare": (
        edited(SECOND, "/etc/fstab", "backupvolfile-server=compute01", "backup-volfile-servers=compute01"),
        "C18", RowState.OK, "compute02:/data"),
    "still-nfs": (
        lambda hosts: hosts[MANAGE].mounts.__setitem__(0, "x:/ /grdata nfs4 rw"), "C19", RowState.DIFFERS, "nfs4"),
    "a-mount-whose-servers-are-away": (
        lambda hosts: setattr(hosts[FIRST], "grdata_answers", "no Transport endpoint is not connected"), "C19",
        RowState.DIFFERS, "Transport endpoint"),
    "entrance-tells-one": (
        edited(MANAGE, f"{COMPOSE}/plugin.yaml", "-http://10.0.0.13:10002", ""), "C21", RowState.DIFFERS, "line 8"),
    "entrance-tells-a-dead-one": (
        lambda hosts: hosts[MANAGE].web.update({"compute02/api": "000"}), "C21", RowState.DIFFERS, "compute02:10002"),
    "compose-of-the-page-pasted": (
        lambda hosts: hosts[FIRST].files.update({f"{COMPOSE}/base.yaml": "rbd-dns:\n    image: x\n   environment:\n"}),
        "C26", RowState.BROKEN, "line 3"),
    "lb-still-on-manage": (
        lambda hosts: hosts[MANAGE].containers.update({"rbd-lb": "rainbond/rbd-lb:3.6"}), "C22", RowState.DIFFERS,
        "still runs"),
    "lb-not-running": (
        lambda hosts: hosts[SECOND].containers.pop("rbd-lb"), "C22", RowState.DIFFERS, "rbd-lb"),
    "rules-nested": (
        lambda hosts: hosts[FIRST].files.update({"/opt/rainbond/etc/rbd-lb/dynamics/dynamics/a.conf": "x"}),
        "C24", RowState.DIFFERS, "dynamics/dynamics"),
    "rules-differ": (
        lambda hosts: hosts[FIRST].files.update({"/opt/rainbond/etc/rbd-lb/dynamics/dynamic_servers/b.conf": "x"}),
        "C24", RowState.DIFFERS, "b.conf"),
    "upstream-as-shipped": (
        edited(FIRST, LB_DEFAULT, "server 10.0.0.11:5000", "server 127.0.0.1:5000"), "C25", RowState.DIFFERS,
        "line 9"),
    "upstream-never-closed": (
        edited(FIRST, LB_DEFAULT, "upstream lang {\n    server 10.0.0.11:8081;\n}", "upstream lang {\n"), "C25",
        RowState.BROKEN, "line 1"),
    "older-line-of-salt-first": (
        edited(SECOND, "/etc/hosts", "127.0.0.1 localhost\n", "10.0.0.11 goodrain.me\n"), "C25b", RowState.DIFFERS,
        "line 1"),
    "vip-for-all-names": (
        edited(FIRST, f"{COMPOSE}/base.yaml", "kubeapi.goodrain.me=10.0.0.11,", ""), "C27", RowState.OK, "10.0.0.11"),
    "records-of-the-sample": (
        edited(FIRST, f"{COMPOSE}/base.yaml", "goodrain.me=10.0.0.100", "goodrain.me=10.141.161.106"), "C26",
        RowState.DIFFERS, "10.141.161.106"),
    "no-kubeconfig": (
        lambda hosts: hosts[FIRST].files.pop("/opt/rainbond/etc/kubernetes/kubecfg/admin.kubeconfig"), "C28",
        RowState.DIFFERS, "admin.kubeconfig"),
    "one-resolver-only": (
        edited(FIRST, ENVIRONMENT, "10.0.0.12,10.0.0.13", "10.0.0.12"), "C29", RowState.DIFFERS, "line 2"),
    "sample-of-the-page-pasted": (
        lambda hosts: hosts[SECOND].files.update({ENVIRONMENT: hosts[FIRST].files[ENVIRONMENT]}), "C29",
        RowState.DIFFERS, "HOST_UUID"),
    "environment-broken": (
        edited(FIRST, ENVIRONMENT, "HOST_UUID=", "HOST UUID="), "C29", RowState.BROKEN, "line 1"),
    "a-service-down": (
        lambda hosts: hosts[MANAGE].containers.pop("rbd-db"), "C30", RowState.DIFFERS, "rbd-db"),
    "another-router-id": (
        edited(SECOND, KEEPALIVED, "virtual_router_id 87", "virtual_router_id 51"), "C34", RowState.DIFFERS, "51"),
    "interface-of-the-page": (
        edited(FIRST, KEEPALIVED, "interface eth0", "interface ens6f0"), "C33", RowState.DIFFERS, "ens6f0"),
    "priorities-the-wrong-way": (
        edited(SECOND, KEEPALIVED, "priority 50", "priority 150"), "C33", RowState.DIFFERS, "priority 100"),
    "brace-left-open": (
        edited(FIRST, KEEPALIVED, "10.0.0.100/24\n  }", "10.0.0.100/24\n"),
        "C33", RowState.BROKEN, "line"),
    "both-hold-the-vip": (
        lambda hosts: hosts[SECOND].addresses.append("10.0.0.100"), "C35", RowState.DIFFERS, "compute01, compute02"),
    "nobody-holds-the-vip": (
        lambda hosts: hosts[FIRST].addresses.clear(), "C35", RowState.DIFFERS, "10.0.0.100"),
    "tcpdomain-left": (
        lambda hosts: setattr(hosts[MANAGE], "region", "rainbond\t10.0.0.11\tws://10.0.0.11:6060\ta.lan\n"), "C37",
        RowState.DIFFERS, "10.0.0.11"),
    "wsurl-left": (
        lambda hosts: setattr(hosts[MANAGE], "region", "rainbond\t10.0.0.100\tws://10.0.0.11:6060\ta.lan\n"), "C38",
        RowState.WEAK, "ws://10.0.0.11:6060"),
    "two-regions": (
        lambda hosts: setattr(hosts[MANAGE], "region", hosts[MANAGE].region * 2), "C37", RowState.DIFFERS, "2 rows"),
    "hub-down": (
        lambda hosts: hosts[MANAGE].containers.pop("rbd-hub"), "C39", RowState.DIFFERS, "rbd-hub"),
    "a-port-closed": (
        lambda hosts: hosts[FIRST].ports.discard(443), "C40", RowState.DIFFERS, "443"),
    "a-packet-filter": (
        lambda hosts: hosts[FIRST].units.update(firewalld=("active", "enabled")), "C41", RowState.WEAK, "active"),
    "a-single-resolver": (
        lambda hosts: setattr(hosts[SECOND], "nameservers", ("10.0.0.2",)), "C42", RowState.WEAK, "10.0.0.2"),
    "no-resolver": (
        lambda hosts: setattr(hosts[SECOND], "nameservers", ()), "C42", RowState.DIFFERS, "/etc/resolv.conf"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_fault_is_told_in_its_row(case: str) -> None:
    change, row_id, state, says = CASES[case]
    hosts = after(target())
    change(hosts)
    row = row_of(audited(hosts), row_id)
    assert row.state is state, words(row)
    assert says in words(row)
    if not state.fits and row.by_hand:
        assert all(step.text.strip() for step in row.by_hand)


def test_every_row_is_in_the_table_or_only_tells() -> None:
    """C14 tells that writing on one node and reading on the other was not tried, as an audit writes nothing."""
    tried = {row for _, row, _, _ in CASES.values()}
    only_told = {"C1", "C2", "C3", "C14", "C20", "C32", "C36", "C43"}
    assert {row.id for row in ROWS} == tried | only_told
    for hosts in (before(target()), after(target())):
        assert {state for row, state in states(audited(hosts)).items() if row in only_told} == {RowState.NOTE}
    not_tried = row_of(audited(after(target())), "C14")
    assert "not tried: an audit writes nothing" in words(not_tried)
    assert [step.node for step in not_tried.by_hand] == [FIRST, SECOND, FIRST, SECOND]


def test_rows_come_in_the_order_of_the_page_and_once() -> None:
    assert [row.id for row in ROWS] == [
        *(f"C{number}" for number in range(1, 26)), "C25b", *(f"C{number}" for number in range(26, 44)),
    ]  # fmt: skip


def test_from_3_7_on_the_page_has_no_rbd_dns() -> None:
    hosts = after(target())
    for host in hosts.values():
        host.files = {path: text.replace(":3.6", ":v3.7.1") for path, text in host.files.items()}
    for name in (FIRST, SECOND):
        del hosts[name].files[f"{COMPOSE}/base.yaml"]
        del hosts[name].containers["rbd-dns"]
        hosts[name].files[ENVIRONMENT] = hosts[name].files[ENVIRONMENT].replace("10.0.0.12,10.0.0.13", "10.0.0.11")
    found = audited(hosts)
    assert found.version == (3, 7)
    assert found.hidden == ("C23", "C26", "C27", "C28", "C29")
    assert not set(found.hidden) & {row.id for row in found.rows}
    assert (found.now, found.fits) == (Level(2), True)


def test_what_does_not_answer_is_unknown_and_costs_only_itself() -> None:
    found = audited(after(target()), gluster=Output(124, ""), containers=Output(1, "Cannot connect"))
    assert row_of(found, "C13").state is RowState.UNKNOWN
    assert "Cannot connect" in words(row_of(found, "C22"))
    assert row_of(found, "C29").state is RowState.OK
    assert (found.now.certain, found.fits) == (False, False)


def test_a_stopped_glusterd_is_no_riddle() -> None:
    hosts = after(target())
    for host in hosts.values():
        host.units["glusterd"] = ("inactive", "disabled")
    said = "Connection failed. Please check if gluster daemon is operational."
    parts = "".join(f"== {part}\n{said}\n" for part in ("peers", "volumes", "status", "heal"))
    found = audited(hosts, gluster=Output(0, f"== version\nglusterfs 3.12.1\n{parts}"))
    for row_id in ("C11", "C12", "C13"):
        assert row_of(found, row_id).state is RowState.DIFFERS
        assert "glusterd does not run" in words(row_of(found, row_id))


def test_a_level_needs_a_way_in() -> None:
    hosts = before(target())
    del hosts[MANAGE].containers["rbd-lb"]
    assert audited(hosts).now.number == 0
    hosts = before(target())
    hosts[FIRST].units["kubelet"] = ("failed", "enabled")
    assert audited(hosts).now == Level(0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_row_has_words_and_fills_them(language: str) -> None:
    use_language(language)
    try:
        for row in audited(before(target())).rows:
            for what in ("title", "target", "why"):
                text = say(row.text(what))
                assert "{" not in text, text
                assert not text.startswith("audit."), text
            assert "{" not in words(row)
    finally:
        use_language("en")


def test_a_compute_node_that_is_off_leaves_the_level_open() -> None:
    """A brick that is offline for it is certain, and says nothing of the way in, which the other node may be."""
    hosts = after(target())
    hosts[SECOND].gluster = gluster_text(target(), hosts[SECOND].server, entries="5")
    site = seen(hosts)
    site.hosts = {
        **site.hosts,
        FIRST: SeenHost(hosts[FIRST].server, unreached=T("audit.seen.failed", fact="x", reason="y")),
    }
    found = judge(plan(), site)
    assert row_of(found, "C13").state is RowState.DIFFERS
    assert row_of(found, "C22").state is RowState.UNKNOWN
    assert not found.now.certain
