"""The steps' scripts themselves, as far as they can be run on any machine without changing it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from rbdtui.paths import asset
from rbdtui.plan.content import fill_asset
from rbdtui.plan.steps.keepalived import ASK_SERVER
from rbdtui.transport.scripts import script


def run(name: str, *args: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """A script with its arguments, in a POSIX shell."""
    return subprocess.run(
        ["sh", "-c", script(name).text, f"rbdtui/{name}", *args], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=30, check=False, env={"PATH": f"{path}:{os.environ['PATH']}", "LC_ALL": "C"},
    )  # fmt: skip


def test_an_address_is_held_or_not() -> None:
    answer = run("holds-address", "127.0.0.1", "192.0.2.1", "127.0.0")
    assert answer.stdout.splitlines() == ["127.0.0.1 yes", "192.0.2.1 no", "127.0.0 no"]


def test_kernel_parameters_are_read_and_unknown_ones_are_empty() -> None:
    answer = run("sysctl-state", "kernel.ostype", "net.no.such.key")
    assert answer.stdout.splitlines() == ["kernel.ostype=Linux", "net.no.such.key="]


def test_a_refused_parameter_is_named() -> None:
    answer = run("sysctl-set", "net.no.such.key=1")
    assert answer.returncode == 3
    assert "net.no.such.key=1" in answer.stderr


def test_modules_are_loaded_available_or_absent() -> None:
    first, second = run("modules-state", "overlay", "no_such_module").stdout.splitlines()
    assert first.startswith("overlay ")
    assert second == "no_such_module absent"


def test_a_program_without_a_package_counts_and_a_package_shows_its_version(tmp_path: Path) -> None:
    (tmp_path / "made-by-hand").write_text("#!/bin/sh\n")
    (tmp_path / "made-by-hand").chmod(0o755)
    answer = run("packages-state", "made-by-hand", "no-such-package", path=str(tmp_path))
    assert answer.stdout.splitlines() == ["made-by-hand ?", "no-such-package"]


@pytest.mark.parametrize(
    ("backups", "present", "word", "after"),
    [
        pytest.param([], "ours", "removed", None, id="there was none before"),
        pytest.param([], None, "absent", None, id="nothing there at all"),
        pytest.param(["theirs"], "ours", "restored", "theirs", id="one backup"),
        pytest.param(
            ["theirs", "# Written by rbdtui for site a\n"], "ours", "restored", "theirs", id="the oldest counts"
        ),
        pytest.param(["# Written by rbdtui for site a\n"], "ours", "removed", None, id="the oldest was ours already"),
    ],
)
def test_a_file_goes_back_to_what_it_was(
    tmp_path: Path, backups: list[str], present: str | None, word: str, after: str | None
) -> None:
    file = tmp_path / "etc" / "some file.conf"
    file.parent.mkdir()
    if present is not None:
        file.write_text(present)
    for number, content in enumerate(backups):
        copy = Path(f"{tmp_path}/backup/run{9 - number}{file}")
        copy.parent.mkdir(parents=True)
        copy.write_text(content)
        os.utime(copy, (1000 + number, 1000 + number))
    answer = run("file-restore", str(file), f"{tmp_path}/backup")
    assert answer.stdout == word + "\n", answer.stderr
    assert (file.read_text() if file.exists() else None) == after


def test_an_unknown_action_is_refused_before_anything_is_done() -> None:
    assert run("unit-action", "no-such.service", "explode").returncode == 64


def test_rke2_that_is_not_there() -> None:
    values = dict(line.split("=", 1) for line in run("rke2-state").stdout.splitlines())
    assert values.keys() == {"archive", "prefix", "program", "units"}


def test_an_archive_with_another_digest_is_not_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "rke2.tar.gz"
    archive.write_bytes(b"not what was sent")
    answer = run("rke2-unpack", str(archive), "0" * 64)
    assert answer.returncode == 3
    assert "sha256" in answer.stderr


KUBECTL = "/var/lib/rancher/rke2/bin/kubectl"


@pytest.mark.parametrize(
    ("listening", "asked"),
    [
        pytest.param(["0100007F:094E", "0100007F:094B", "0B00000A:094B"], 2382, id="RKE2 since 1.28.3"),
        pytest.param(["0100007F:094B", "0B00000A:094B"], 2379, id="RKE2 before 1.28.3"),
        pytest.param([], 2382, id="etcd does not run"),
        pytest.param(["0100007F:0949"], 2382, id="another port alone"),
    ],
)
def test_etcd_is_asked_where_its_gateway_is(tmp_path: Path, listening: list[str], asked: int) -> None:
    table = tmp_path / "tcp"
    rows = [f"   {number}: {place} 00000000:0000 0A 00000000:00000000" for number, place in enumerate(listening)]
    table.write_text("\n".join(["  sl  local_address rem_address   st", *rows]) + "\n")
    kubectl = tmp_path / "kubectl"
    kubectl.write_text('#!/bin/sh\ncat >/dev/null\nprintf "%s" "$*"\n')
    kubectl.chmod(0o755)
    text = script("etcd-members").text.replace("/proc/net/tcp6", "").replace("/proc/net/tcp", str(table))
    answer = subprocess.run(
        ["sh", "-c", text.replace(KUBECTL, str(kubectl))], capture_output=True, text=True, timeout=30, check=False
    )
    assert answer.returncode == 0, answer.stderr
    members, status = answer.stdout.splitlines()
    assert f"--server=https://127.0.0.1:{asked} " in members
    assert "create --raw /v3/cluster/member/list -f -" in members
    assert f"--server=https://127.0.0.1:{asked} " in status


NAME = "rbdtui_0123456789ab"
START = "Starting VRRP child process, pid=812"


@pytest.mark.parametrize(
    ("journal", "word"),
    [
        pytest.param([START, f"VRRP_Script({NAME}) succeeded"], "passes", id="keepalived 1.3 to 2.3"),
        pytest.param([START, f"VRRP_Script({NAME}) failed"], "fails", id="keepalived 1.3"),
        pytest.param([START, f"VRRP_Script({NAME}) failed (exited with status 126)"], "fails", id="keepalived 2"),
        pytest.param([START, f"VRRP_Script({NAME}) timed_out"], "fails", id="too slow"),
        pytest.param([START, f"VRRP_Script({NAME}) timed out"], "fails", id="too slow, 1.3"),
        pytest.param(
            [START, f"VRRP_Script({NAME}) succeeded", f"VRRP_Script({NAME}) failed (exited with status 1)"], "fails",
            id="the last word counts",
        ),
        pytest.param(
            [START, f"VRRP_Script({NAME}) failed", f"VRRP_Script({NAME}) considered unsuccessful on reload"], "fails",
            id="a reload hands a failure on",
        ),
        pytest.param(
            [START, f"VRRP_Script({NAME}) considered successful on reload"], "passes", id="a reload hands a success on"
        ),
        pytest.param([START, f"VRRP_Script({NAME}) succeeded", START], "silent", id="what was before a start is over"),
        pytest.param([START, "VRRP_Script(check_node) succeeded"], "silent", id="another check"),
        pytest.param([START, "Script `check_node` now returning 0", "(RBDTUI) Entering MASTER STATE"], "silent",
                     id="nothing of a check"),
        pytest.param([], "silent", id="nothing at all"),
    ],
)  # fmt: skip
def test_what_keepalived_says_of_its_check(tmp_path: Path, journal: list[str], word: str) -> None:
    (tmp_path / "lines").write_text("".join(f"{line}\n" for line in journal))
    (tmp_path / "journalctl").write_text(f"#!/bin/sh\ncat {tmp_path}/lines\n")
    (tmp_path / "journalctl").chmod(0o755)
    answer = run("keepalived-check", NAME, path=str(tmp_path))
    assert (answer.returncode, answer.stdout) == (0, f"{word}\n"), answer.stderr
    assert answer.stderr.splitlines() == journal


@pytest.mark.parametrize(
    ("good", "status"),
    [
        ({"9345", "127.0.0.1:6443"}, 0),
        ({"9345", "127.0.0.1:6443", "10.0.0.12:6443"}, 0),
        ({"9345", "10.0.0.13:6443"}, 1),
        ({"9345"}, 0),
        ({"127.0.0.1:6443"}, 3),
        ({"10.0.0.12:6443"}, 3),
        (set(), 3),
    ],
)
def test_a_gateway_is_good_when_rke2_and_the_api_server_answer(tmp_path: Path, good: set[str], status: int) -> None:
    text = fill_asset("keepalived-check.sh", {"header": "# ours", "peers": "10.0.0.12 10.0.0.13"}, str).shown
    assert answers_as(tmp_path, text, good) == status
    assert "curl" not in text, "no host needs it"


def answers_as(tmp_path: Path, text: str, good: set[str]) -> int:
    """What a check says where only these servers answer."""
    cases = "".join(f'*"{what}"*) exit 0 ;;\n' for what in sorted(good))
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f'#!/bin/sh\ncase "$*" in\n{cases}esac\nexit 1\n')
    kubectl.chmod(0o755)
    check = tmp_path / "check.sh"
    check.write_text(text.replace("/var/lib/rancher/rke2/bin/kubectl", str(kubectl)))
    return subprocess.run(["sh", str(check)], timeout=20, check=False, env={"PATH": os.environ["PATH"]}).returncode


@pytest.mark.parametrize(
    ("good", "status"),
    [
        ({"9345", "127.0.0.1:6443", "127.0.0.1:8889", "10.0.0.12:8889"}, 0),
        ({"9345", "127.0.0.1:6443", "10.0.0.12:8889"}, 4),
        ({"9345", "127.0.0.1:6443"}, 0),
        ({"127.0.0.1:6443", "127.0.0.1:8889"}, 3),
        ({"9345", "10.0.0.13:6443", "127.0.0.1:8889"}, 1),
        ({"9345", "127.0.0.1:8889"}, 0),
        ({"9345", "10.0.0.13:8889"}, 4),
    ],
)
def test_a_gateway_gives_the_address_away_only_to_a_better_one(tmp_path: Path, good: set[str], status: int) -> None:
    values = {"header": "# ours", "about_server": "", "server": ASK_SERVER, "peers": "10.0.0.12 10.0.0.13"}
    text = fill_asset("keepalived-gateway-check.sh", values, str).shown
    assert answers_as(tmp_path, text, good) == status


def test_lines_of_the_log_are_cut_before_they_are_sent(tmp_path: Path) -> None:
    log = "x" * 5000 + "\nlevel=info msg=short\n-- cursor: s=1;i=2\n"
    for name, output in (("systemctl", "ActiveState=activating\nNRestarts=3\n"), ("journalctl", log)):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{output.rstrip()}\nEND\n")
        program.chmod(0o755)
    answer = run("rke2-progress", "rke2-server.service", "", path=str(tmp_path))
    head, _, lines = answer.stdout.partition("\n\n")
    assert "active=activating\nrestarts=3\n" in head
    assert head.endswith("cursor=s=1;i=2")
    assert lines.splitlines() == ["x" * 600, "level=info msg=short"]


UNINSTALL = """\
#!/bin/sh
set -ex
remove_self() { rm -f /usr/local/bin/rke2-uninstall.sh; }
trap remove_self EXIT
rm -f /usr/local/bin/rke2
FAILS
rm -rf /etc/rancher/rke2 /var/lib/rancher/rke2
"""
"""As RKE2's own: it ends at the first failure, and removes itself all the same."""


def apart(tmp_path: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """Commands where the directories of RKE2 are empty and nobody else's."""
    mounts = "".join(
        f"mkdir -p {place}; mount -t tmpfs tmpfs {place}; "
        for place in ("/usr/local/bin", "/var/lib/rancher", "/etc/rancher", "/var/lib/rbdtui", "/opt/rke2")
    )
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"set -e; {mounts}{'; '.join(commands)}"],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for mounts of its own")
@pytest.mark.parametrize(("fails", "statuses"), [("", "0 0"), ("false", "3 4")])
def test_gone_is_said_only_of_what_is_gone(tmp_path: Path, fails: str, statuses: str) -> None:
    """A script of RKE2 that failed has removed itself: the next try finds none, and must not take that for success."""
    (tmp_path / "theirs").write_text(UNINSTALL.replace("FAILS", fails))
    (tmp_path / "ours").write_text(script("rke2-uninstall").text)
    answer = apart(
        tmp_path,
        "mkdir /var/lib/rancher/rke2 /etc/rancher/rke2",
        "install -m 755 theirs /usr/local/bin/rke2-uninstall.sh",
        "touch /usr/local/bin/rke2",
        "first=0; sh ours > /dev/null 2> words || first=$?",
        "second=0; sh ours > /dev/null 2>> words || second=$?",
        "echo $first $second; cat words",
    )
    assert answer.stdout.splitlines()[0] == statuses, answer.stderr
    assert ("/var/lib/rancher/rke2 is still there" in answer.stdout) == bool(fails)


def test_no_script_uses_a_directory_in_which_others_may_lay_links() -> None:
    """What root writes to below /tmp may be a link that somebody on the host has laid."""
    files = [*asset("scripts").glob("*.sh"), *asset("templates").iterdir()]
    assert len(files) > 30
    assert [file.name for file in files if "/tmp" in file.read_text(encoding="utf-8")] == []
