"""A site on the lab's real hosts, driven through the command line only, and looked at from outside the product."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab import BASTION_USER, OP_PASSWORD, OP_USER, Lab

PASSPHRASE = "Vault-pass-phrase-42"
API_PORT = 6443
FOUR_HOSTS = """# Three servers and an agent in the lab; this comment belongs to the operator.
apiVersion: rbdtui/v1
name: lab-site
profile: kubernetes-only
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [control-plane, etcd, worker, gateway]}}
  - name: n2                      # logs in as a user who needs sudo with a nasty password
    address: {n2}
    roles: [control-plane, etcd, worker, gateway]
    ssh: {{user: {op}, sudo_password: secret:sudo}}
  - {{name: n3, address: {n3}, roles: [control-plane, etcd, worker, gateway]}}   # keepalived comes from the bundle
  - name: n4                      # behind a bastion
    address: {n4}
    roles: [worker]
    ssh: {{bastion: {{address: {bastion}, user: {bastion_user}, key: {bastion_key}}}}}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}, domain: api.lab-site.lan}}
gateway: {{mode: keepalived, vip: {vip}/26, virtual_router_id: 87}}
"""


ETCD_LIMIT_S = 180.0
_ETCD_MEMBERS = (
    "printf '{}' | /var/lib/rancher/rke2/bin/kubectl --kubeconfig /dev/null --server=https://127.0.0.1:2382 "
    "--certificate-authority=/var/lib/rancher/rke2/server/tls/etcd/server-ca.crt "
    "--client-certificate=/var/lib/rancher/rke2/server/tls/etcd/client.crt "
    "--client-key=/var/lib/rancher/rke2/server/tls/etcd/client.key create --raw /v3/cluster/member/list -f -"
)


@dataclass(slots=True)
class LabSite:
    """A site directory for a lab, and the command line on it."""

    lab: Lab
    path: Path
    spec: str = FOUR_HOSTS
    """cluster.yaml with {names} in place of what the lab knows."""
    bundle: Path = field(init=False)
    vip: str = field(init=False)

    def __post_init__(self) -> None:
        self.vip = self.lab.vips[0]
        self.bundle = self.lab.bundle

    def write(self) -> None:
        """What an operator would do: init, fill in, keep the secret, pin the keys (twice: the bastion's first)."""
        self.path.parent.joinpath("passphrase").write_text(PASSPHRASE + "\n")
        self.path.parent.joinpath("passphrase").chmod(0o600)
        assert self.rbdtui("init", str(self.path)).returncode == 0
        bastion = self.lab.bastion.address if self.lab.bastion else ""
        addresses = {name: host.address for name, host in self.lab.hosts.items()}
        self.path.joinpath("cluster.yaml").write_text(
            self.spec.format(
                bundle=self.bundle, key=self.lab.key, op=OP_USER, vip=self.vip, bastion=bastion,
                bastion_user=BASTION_USER, bastion_key=self.lab.bastion_key, **addresses,
            )
        )  # fmt: skip
        assert self.rbdtui("secret", "set", str(self.path), "sudo", stdin=OP_PASSWORD).returncode == 0
        if bastion:
            assert self.rbdtui("trust", str(self.path), "--yes").returncode == 1, (
                "hosts behind an unpinned bastion are told"
            )
        done = self.rbdtui("trust", str(self.path), "--yes")
        assert done.returncode == 0, done.stdout + done.stderr

    def command(self, *words: str) -> list[str]:
        """The command line as an operator's shell would start it."""
        return [sys.executable, "-m", "rbdtui", *words, "--passphrase-file", str(self.path.parent / "passphrase")]

    def rbdtui(self, *words: str, stdin: str = "", limit_s: float = 1200.0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(*words), input=stdin, capture_output=True, text=True, timeout=limit_s, check=False,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip

    def run_dir(self) -> Path:
        """The directory of the newest run."""
        return max((self.path / "runs").iterdir())

    def events(self) -> list[dict[str, object]]:
        """The journal of the newest run, read with our own eyes."""
        journal = self.run_dir() / "events.jsonl"
        lines = journal.read_text().split("\n")[:-1] if journal.exists() else []
        return [json.loads(line) for line in lines]

    def seen(self, kind: str, step: str) -> list[dict[str, object]]:
        """Events of one type about one step in the newest run, oldest first."""
        return [event for event in self.events() if event["type"] == kind and event["step"] == step]

    def wait_event(self, kind: str, step: str, limit_s: float = 400.0) -> dict[str, object]:
        """Wait for an event about a step; gives the newest."""
        wait_for(lambda: bool(self.seen(kind, step)), limit_s, f"{kind} of {step}")
        return self.seen(kind, step)[-1]

    def kill_runner_in(self, step: str, limit_s: float = 600.0) -> None:
        """Wait until a step is under way and end the runner as a power failure of the jump host would."""

        def begun() -> bool:
            return any(event["type"] == "step-started" and event["step"] == step for event in self.events())

        wait_for(begun, limit_s, f"{step} to begin")
        time.sleep(1.5)
        pid = [event["pid"] for event in self.events() if event["type"] == "runner-started"][-1]
        assert isinstance(pid, int)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), 10, "the runner to die")

    def kubectl(self, host: str, *words: str) -> str:
        """kubectl on a server, past the product, with the server's own credentials."""
        command = f"/var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml {' '.join(words)}"
        return self.lab.inside(host, command).stdout

    def ready_nodes(self, host: str) -> list[str]:
        """Names of the nodes that the API reports Ready, asked through the virtual address."""
        listed = json.loads(self.kubectl(host, f"--server=https://{self.vip}:{API_PORT}", "get", "nodes", "-o", "json"))
        return sorted(
            node["metadata"]["name"]
            for node in listed["items"]
            if any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])
        )

    def wait_ready(self, host: str, *names: str, limit_s: float = 300.0) -> None:
        """Wait until exactly these nodes are Ready, asked on a host through the virtual address."""
        wait_for(lambda: self.ready_nodes(host) == sorted(names), limit_s, f"{names} to be Ready", every_s=1)

    def etcd_voters(self, host: str) -> list[str]:
        """Full names of etcd's voting members, as the member on a host knows them; fails when somebody has no vote.

        A node is Ready before its member is: it only needs some API server, and its own static pods come later.
        """
        wait_for(
            lambda: self.lab.inside(host, _ETCD_MEMBERS, check=False).returncode == 0,
            ETCD_LIMIT_S,
            f"etcd on {host} to answer",
            every_s=1,
        )
        members = json.loads(self.lab.inside(host, _ETCD_MEMBERS).stdout)["members"]
        assert not any(member.get("isLearner") for member in members), members
        return sorted(member["name"] for member in members)

    def api_answers(self) -> bool:
        """Whether the API answers through the virtual address, asked from this machine without the product."""
        with suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                ["openssl", "s_client", "-connect", f"{self.vip}:{API_PORT}", "-verify_quiet"],
                input=b"", capture_output=True, timeout=3, check=False,
            )  # fmt: skip
            return b"BEGIN CERTIFICATE" in done.stdout
        return False

    def vip_holders(self, *, off: str = "") -> list[str]:
        """Hosts that have the virtual address now; the one without power is not asked."""
        held = {
            name: self.lab.inside(name, "ip -o -4 addr show", check=False).stdout
            for name in self.lab.hosts
            if name != off
        }
        return [name for name, addresses in held.items() if f" {self.vip}/" in addresses]

    def fingerprint(self, host: str, *places: str) -> str:
        """Content, mode and owner of every file below these places, in one hash."""
        where = " ".join(places)
        listing = (
            f"cd / && find {where} -xdev \\( -path /etc/rancher/node -o -path /var/lib/rbdtui/jobs \\) -prune -o "
            "\\( -type f -o -type l \\) -printf '%p %m %U:%G %l\\n' | sort; "
            f"find {where} -xdev -path /etc/rancher/node -prune -o -type f -print0 | sort -z | xargs -0 sha256sum"
        )
        return self.lab.inside(host, f"({listing}) | sha256sum").stdout


def _is_zombie(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def wait_for(condition: Callable[[], bool], limit_s: float, what: str, every_s: float = 0.3) -> float:
    """Wait until a condition holds; returns the seconds it took and fails at the limit."""
    start = time.monotonic()
    while True:
        with suppress(subprocess.SubprocessError, ValueError, OSError):
            if condition():
                return time.monotonic() - start
        assert time.monotonic() - start < limit_s, f"waited {limit_s:g} s in vain for {what}"
        time.sleep(every_s)


class ArgvWatch:
    """Reads the command line and environment of every process of this machine, hosts of the lab included."""

    def __init__(self, canaries: Callable[[], Sequence[str]]) -> None:
        self._canaries = canaries
        self._ended = threading.Event()
        self.seen: set[str] = set()
        self.looked = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look, over and over, for the time of the block."""
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(10)

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            needles = [canary.encode() for canary in self._canaries()]
            for process in Path("/proc").iterdir():
                if process.name.isdigit():
                    self._look_at(process, needles)

    def _look_at(self, process: Path, needles: Sequence[bytes]) -> None:
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                content = (process / name).read_bytes()
                self.looked += 1
                for needle in needles:
                    if needle in content:
                        words = re.sub(rb"\0", b" ", content[:80]).decode("utf-8", "replace")
                        self.seen.add(f"{name} of {words}")
