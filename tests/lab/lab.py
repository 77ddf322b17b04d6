"""The lab as tests see it: hosts that come up with one call and go with one, and the faults that befall them."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from ipaddress import IPv4Network
from pathlib import Path
from types import TracebackType

from tests.lab import claims, faults, machine, wire
from tests.lab.base import base_image, keepalived_image
from tests.lab.booted import Booted, LoginKeys
from tests.lab.bundle import existing_bundle, offline_bundle, rainbond_bundle
from tests.lab.cache import Cache, cache_root
from tests.lab.kubesphere_bundle import kubesphere_bundle
from tests.lab.layout import BASTION_USER, JUMP, OP_USER, Host, Plan, bridge_name, check_name, make_plan, squatter_name
from tests.lab.shell import LabError, Progress, run, to_stderr
from tests.lab.teardown import clear_abandoned, demolish, lab_directory, take_down, working_on

DEFAULT_NAME = "lab"
DEFAULT_DISK_GIB = 30
_SSH_SETTINGS = (
    *("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"),
    *("BatchMode=yes", "IdentitiesOnly=yes", "ConnectTimeout=10"),
)
_SSH_OPTIONS = ("-F", "none", *(word for setting in _SSH_SETTINGS for word in ("-o", setting)))


class Lab:
    """A number of real hosts on this machine, in a network of their own without a way out."""

    def __init__(
        self,
        name: str = DEFAULT_NAME,
        *,
        hosts: int = 3,
        quarter: int | None = None,
        without_keepalived: Sequence[str] | None = None,
        bastion_for: Sequence[str] = (),
        disk_gib: int = DEFAULT_DISK_GIB,
        bundle: bool = True,
        progress: Progress | None = None,
    ) -> None:
        check_name(name)
        self.name = name
        self._host_count = hosts
        self._wanted_quarter = quarter
        self._without_keepalived = without_keepalived
        self._bastion_for = bastion_for
        self._disk_gib = disk_gib
        self._bundle_wanted = bundle
        self._progress = progress or to_stderr
        self._cache = Cache(cache_root(), self._progress)
        self._plan: Plan | None = None
        self.directory = lab_directory(name)
        """The lab's disks, keys and logs."""

    @staticmethod
    def supported() -> str | None:
        """Why a lab cannot run on this machine, or None."""
        return machine.why_not()

    @classmethod
    def attach(cls, name: str = DEFAULT_NAME, *, progress: Progress | None = None) -> Lab:
        """A lab that is up already, perhaps from another process; `LabError` when there is none."""
        claim = claims.find_claim(name)
        if claim is None or claim.abandoned or not (file := Path(claim.directory) / "plan.json").exists():
            raise LabError(f"lab {name!r} is not up")
        lab = cls(name, progress=progress)
        lab.directory = file.parent
        lab._plan = _read_plan(file)
        return lab

    def __enter__(self) -> Lab:
        self._up(claims.this_process())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    # What the lab is

    @property
    def plan(self) -> Plan:
        """Names and addresses; `LabError` before the lab is up."""
        if self._plan is None:
            raise LabError(f"lab {self.name!r} is not up")
        return self._plan

    @property
    def hosts(self) -> dict[str, Host]:
        """The hosts by name, in order, without the bastion."""
        return {host.name: host for host in self.plan.hosts}

    @property
    def bastion(self) -> Host | None:
        """The host that hosts behind it take SSH from."""
        return self.plan.bastion

    @property
    def quarter(self) -> int:
        """Which /26 of the lab's network this is."""
        return self.plan.quarter

    @property
    def network(self) -> IPv4Network:
        """The network of the hosts."""
        return self.plan.network

    @property
    def jump_address(self) -> str:
        """This machine in the network of the hosts."""
        return self.plan.jump_address

    @property
    def vips(self) -> tuple[str, ...]:
        """Free addresses in the network of the hosts."""
        return self.plan.vips

    @property
    def bridge(self) -> str:
        """The link that all hosts hang on."""
        return bridge_name(self.name)

    @property
    def key(self) -> Path:
        """Private key of root and of `op` on every host but the bastion."""
        return self.directory / "key"

    @property
    def bastion_key(self) -> Path:
        """Private key of the bastion's user."""
        return self.directory / "bastion_key"

    @property
    def bundle(self) -> Path:
        """The offline bundle, built when it is missing; shared by all labs, so not to be written into."""
        return offline_bundle(self._cache, self._progress)

    @property
    def split_bundle(self) -> Path:
        """The same bundle with RKE2's core and canal images in archives of their own."""
        return offline_bundle(self._cache, self._progress, split=True)

    def rainbond_bundle(self, release: str) -> Path:
        """The bundle with a release of Rainbond: 6.2.1, 6.5.2, 6.9.3, 6.9.8 (with the chart of 6.9.3) or 5.17.3."""
        return rainbond_bundle(self._cache, self._progress, release)

    @property
    def kubesphere_bundle(self) -> Path:
        """The bundle with KubeSphere's chart and images in place of Rainbond's."""
        return kubesphere_bundle(self._cache, self._progress)

    # Up and down

    def up(self) -> Lab:
        """Build what is missing, boot all hosts and wait for them; the lab outlives this process, until `down`."""
        self._up(None)
        return self

    def down(self) -> None:
        """End every process of the lab and remove its disks and links; harmless when there is nothing."""
        take_down(self.name)
        self._plan = None

    def status(self) -> dict[str, object]:
        """The lab as JSON-able data."""
        plan, bundle = self.plan, existing_bundle(self._cache)
        return {
            "name": plan.name,
            "quarter": plan.quarter,
            "network": str(plan.network),
            "jump_address": plan.jump_address,
            "hosts": [asdict(host) | {"running": self._booted(host.name).running} for host in plan.hosts],
            "bastion": asdict(plan.bastion) | {"user": BASTION_USER, "key": str(self.bastion_key)}
            if plan.bastion
            else None,
            "vips": list(plan.vips),
            "users": ["root", OP_USER],
            "key": str(self.key),
            "bundle": str(bundle) if bundle else None,
        }

    # Ways in

    def ssh_command(self, host: str, user: str = "root") -> list[str]:
        """The `ssh` command line up to where the remote command follows."""
        target = self.plan.machine(host)
        if target == self.bastion:
            return ["ssh", *_SSH_OPTIONS, "-i", str(self.bastion_key), f"{BASTION_USER}@{target.address}"]
        words = ["ssh", *_SSH_OPTIONS, "-i", str(self.key)]
        if target.behind_bastion and self.bastion:
            hop = [
                "ssh",
                *_SSH_OPTIONS,
                "-i",
                str(self.bastion_key),
                "-W",
                "%h:%p",
                f"{BASTION_USER}@{self.bastion.address}",
            ]
            words += ["-o", f"ProxyCommand={shlex.join(hop)}"]
        return [*words, f"{user}@{target.address}"]

    def ssh(
        self,
        host: str,
        command: str,
        *,
        user: str = "root",
        stdin: str | None = None,
        timeout_s: float = 60,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command on a host over SSH, through the bastion where the host is behind it."""
        return run([*self.ssh_command(host, user), command], stdin=stdin, timeout_s=timeout_s, check=check)

    def inside(
        self, host: str, command: str, *, stdin: str | None = None, timeout_s: float = 60, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root on a host without its network: works with a cut link."""
        return self._booted(host).inside(command, stdin=stdin, timeout_s=timeout_s, check=check)

    def host_keys(self, host: str) -> list[str]:
        """The host's public SSH keys as lines of a `known_hosts` file."""
        files = sorted((self._booted(host).root / "etc/ssh").glob("ssh_host_*_key.pub"))
        return [f"{self.plan.machine(host).address} {' '.join(file.read_text().split()[:2])}" for file in files]

    # Faults

    def off(self, host: str) -> None:
        """Power cut: every process of the host dies at once, its disk stays."""
        self._booted(host).power_off()

    def on(self, host: str) -> None:
        """Boot a host that is off and wait for it; its link is whole and wide again."""
        booted = self._booted(host)
        if booted.running:
            raise LabError(f"{host} is on already")
        booted.boot()
        booted.wait_up()
        booted.plug_card()

    def second_card(self, host: str) -> str:
        """Give the host a second network card, in a network where only such cards are; its address there."""
        return self._booted(host).add_card()

    def cut(self, host: str) -> None:
        """Pull the host's network cable."""
        wire.set_link(self._booted(host).cable, "down")

    def mend(self, host: str) -> None:
        """Put the cable back."""
        wire.set_link(self._booted(host).cable, "up")

    def narrow(self, host: str, rate: str) -> None:
        """Limit a link in both directions to a `tc` rate such as `10mbit`; `jump` is this machine's uplink."""
        if host == JUMP:
            run(wire.rate_command(self.bridge, rate))
            return
        booted = self._booted(host)
        run(wire.rate_command(booted.cable, rate))
        booted.from_here(wire.rate_command("host0", rate))

    def widen(self, host: str) -> None:
        """Take the limit off again."""
        if host == JUMP:
            run(wire.unlimit_command(self.bridge), check=False)
            return
        booted = self._booted(host)
        run(wire.unlimit_command(booted.cable), check=False)
        booted.from_here(wire.unlimit_command("host0"), check=False)

    def fill(self, host: str, path: str = "/", leave_mib: int = 0) -> None:
        """Fill the file system that holds a directory of the host, but for `leave_mib`."""
        faults.fill(self._booted(host), path, leave_mib)

    def drain(self, host: str) -> None:
        """Remove everything that `fill` has put there."""
        faults.drain(self._booted(host))

    def kill(self, host: str, service: str) -> None:
        """SIGKILL to the main process of a service."""
        faults.kill_service(self._booted(host), service)

    def skew(self, host: str, seconds: float) -> None:
        """Shift the clock that programs on the host read; the README says which do not."""
        faults.skew(self._booted(host), seconds, self._cache)

    def rekey(self, host: str) -> None:
        """Give the host new SSH keys."""
        booted = self._booted(host)
        faults.new_host_keys(booted)
        booted.wait_up()

    def squat(self, address: str) -> None:
        """Put one more machine on the wire that answers for an address."""
        if address not in map(str, self.network.hosts()):
            raise LabError(f"{address} is not in {self.network}")
        wire.add_squatter(self.plan, address)

    def unsquat(self, address: str) -> None:
        """Take that machine away."""
        wire.remove_squatter(squatter_name(self.name, address))

    def delay(self, host: str, round_trip_ms: int) -> int:
        """Make every SSH round trip from here to the host longer; gives the port of the delaying proxy on 127.0.0.1."""
        self.undelay(host)
        return wire.start_delay(self.plan, host, self.plan.machine(host).address, round_trip_ms, self.directory)

    def undelay(self, host: str) -> None:
        """Take the delay off; connections through the proxy break."""
        wire.stop_delay(self.plan, host, self.plan.machine(host).address)

    # Within

    def _booted(self, name: str) -> Booted:
        host = self.plan.machine(name)
        return Booted(self.plan, host, self.directory / "hosts" / host.name)

    def _up(self, owner: claims.Owner | None) -> None:
        reason = self.supported()
        if reason:
            raise LabError(reason)
        machine.install_missing(self._progress)
        clear_abandoned(self._progress)
        with working_on(self.name):
            quarter = claims.take(self.name, self._wanted_quarter, self.directory, owner, self._progress)
            try:
                self._plan = make_plan(
                    self.name,
                    quarter,
                    host_count=self._host_count,
                    without_keepalived=self._without_keepalived,
                    bastion_for=self._bastion_for,
                    disk_gib=self._disk_gib,
                )
                self._start()
            except BaseException:
                self._plan = None
                demolish(self.name, self.directory)
                raise

    def _start(self) -> None:
        base = base_image(self._cache, self._progress)
        with_keepalived = keepalived_image(self._cache, base, self._progress)
        if self._bundle_wanted:
            self._progress(f"bundle {self.bundle}")
        self.directory.mkdir(parents=True)
        keys = LoginKeys(everywhere=_new_key(self.key), bastion=_new_key(self.bastion_key))
        (self.directory / "plan.json").write_text(json.dumps(asdict(self.plan)))
        wire.make_bridge(self.plan)

        def start(host: Host) -> None:
            booted = self._booted(host.name)
            booted.install((with_keepalived if host.keepalived else base) / "disk.img", keys)
            booted.boot()
            booted.wait_up()
            self._progress(f"{host.name} is up at {host.address}")

        _for_all(start, self.plan.machines)


def _for_all(work: Callable[[Host], None], hosts: Sequence[Host]) -> None:
    with ThreadPoolExecutor(max_workers=4) as pool:
        for done in [pool.submit(work, host) for host in hosts]:
            done.result()


def _new_key(path: Path) -> str:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"lab {path.name}", "-f", path])
    return path.with_suffix(".pub").read_text()


def _read_plan(file: Path) -> Plan:
    data = json.loads(file.read_text())
    bastion = data.pop("bastion")
    hosts = tuple(Host(**host) for host in data.pop("hosts"))
    return Plan(**data, hosts=hosts, bastion=Host(**bastion) if bastion else None)
