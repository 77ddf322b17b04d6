"""One host on this machine: its disk, its identity, its power, and the way in through its namespaces."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab import cgroup, wire
from tests.lab.base import FILES
from tests.lab.layout import BASTION_USER, OP_USER, Host, Plan, bridge_name, cable_name, group_name, machine_name
from tests.lab.shell import LabError, run, wait_for

BOOT_S = 60
_NETWORK = """[Match]
Name=host0
[Network]
Address={address}/{prefix}
Gateway={gateway}
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
_SECOND_CARD = """[Match]
Name=host1
[Network]
Address={address}/{prefix}
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
_NSPAWN = (
    *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"),
    *("--link-journal=no", "--resolv-conf=off", "--timezone=off", "--bind=/dev/kmsg"),
    *("--capability=all", "--drop-capability=CAP_SYS_TIME", "--system-call-filter=@keyring bpf"),
)
"""A host may do everything but set the clock, which is this machine's."""
_FUSE = Path("/dev/fuse")
"""systemd-nspawn makes only the nodes of systemd-nspawn(1) below /dev; without this one nothing is mounted by FUSE."""
_UNTIL_OFF = """cable=$1; shift
while "$@"; [ $? -eq 133 ]; do
  while [ -e "/sys/class/net/$cable" ]; do sleep 0.2; done
done"""
"""A host that reboots ends with 133 (systemd-nspawn(1), --keep-unit), and is begun anew once its cable is gone."""
_INSIDE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class LoginKeys:
    """Public keys that hosts are made with."""

    everywhere: str
    bastion: str


@dataclass(frozen=True, slots=True)
class Booted:
    """A host of a plan together with the place where its disk is."""

    plan: Plan
    host: Host
    directory: Path

    @property
    def group(self) -> str:
        """The cgroup of everything that runs in this host."""
        return group_name(self.plan.name, self.host.index)

    @property
    def cable(self) -> str:
        """This machine's end of the host's cable."""
        return cable_name(self.plan.name, self.host.index)

    @property
    def root(self) -> Path:
        """The host's root file system as it is seen from here."""
        return self.directory / "root"

    @property
    def running(self) -> bool:
        """Whether anything runs in the host."""
        return bool(cgroup.members(self.group))

    def install(self, image: Path, keys: LoginKeys) -> None:
        """Make the host's disk from an image, grown to its size and with an identity of its own."""
        disk = self.directory / "disk.img"
        self.root.mkdir(parents=True)
        run(["cp", "--sparse=always", image, disk], timeout_s=300)
        run(["truncate", "-s", f"{self.plan.disk_gib}G", disk])
        run(["resize2fs", disk], timeout_s=120)
        # No barriers: they would reach this machine's disk from every host, and a power cut here never loses its cache.
        run(["mount", "-o", "loop,noatime,barrier=0,noinit_itable", disk, self.root])
        self._write_identity()
        self._write_access(keys)

    def boot(self) -> None:
        """Switch the host on; it is not yet up when this returns."""
        words = [
            *_NSPAWN,
            *((f"--bind={_FUSE}",) if _FUSE.exists() else ()),
            f"--machine={machine_name(self.plan.name, self.host.index)}",
            f"--hostname={self.host.name}",
            f"--directory={self.root}",
            f"--network-bridge={bridge_name(self.plan.name)}",
        ]
        again = ["sh", "-c", _UNTIL_OFF, "sh", self.cable, *words]
        cgroup.start_in_background(self.group, again, self.directory / "boot.log")

    def wait_up(self) -> None:
        """Wait until the host has booted and its sshd answers; `LabError` with the end of its console otherwise."""
        try:
            wait_for(f"{self.host.name}: init", lambda: cgroup.init_process(self.group) is not None, timeout_s=BOOT_S)
            wait_for(f"{self.host.name}: start of network, sshd and logins", self._started, timeout_s=BOOT_S)
            wait_for(f"{self.host.name}: sshd", self._greets, timeout_s=BOOT_S)
        except LabError as error:
            log = self.directory / "boot.log"
            console = log.read_text(errors="replace")[-1000:] if log.exists() else "none"
            raise LabError(f"{error}; console: {console}") from error

    def add_card(self) -> str:
        """Give the running host its second network card, for good; its address there."""
        plan, address = self.plan, self.plan.second_address(self.host)
        text = _SECOND_CARD.format(address=address, prefix=plan.second_network.prefixlen)
        self._second_card.write_text(text)
        self.plug_card()
        return address

    def plug_card(self) -> None:
        """Put the second network card in again where the host had one when it was switched off."""
        init = cgroup.init_process(self.group)
        if init is None:
            raise LabError(f"{self.host.name} is off")
        if self._second_card.exists():
            wire.add_card(self.plan, self.host, str(init))
            self.inside("networkctl reload; networkctl up host1")
            shown = f"ip -o -4 address show dev host1 | grep -F {self.plan.second_address(self.host)}/"
            wait_for(f"{self.host.name}: host1", lambda: self.inside(shown, check=False).returncode == 0, timeout_s=20)

    @property
    def _second_card(self) -> Path:
        return self.root / "etc/systemd/network/20-host1.network"

    def power_off(self) -> None:
        """Pull the plug: every process dies at once, the disk stays as it is."""
        cgroup.kill_all(self.group)
        # The kernel takes the cable away in its own time, and until then the host could not be switched on again.
        run(["ip", "link", "delete", self.cable], check=False)
        wait_for(f"{self.host.name}: end of its cable", lambda: not self._has_cable(), timeout_s=BOOT_S)

    def _has_cable(self) -> bool:
        return Path("/sys/class/net", self.cable).exists()

    def inside(
        self, command: str, *, stdin: str | None = None, timeout_s: float = 60, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root in the host's namespaces, without its network."""
        init = cgroup.init_process(self.group)
        if init is None:
            raise LabError(f"{self.host.name} is off")
        clean = ["env", "-i", f"PATH={_INSIDE_PATH}", "HOME=/root", "LC_ALL=C.UTF-8", "bash", "-c", command]
        words = cgroup.joined(self.group, ["nsenter", "--target", str(init), "--all", "--wd=/", *clean])
        return run(words, stdin=stdin, timeout_s=timeout_s, check=check)

    def from_here(self, command: Sequence[str], *, check: bool = True) -> None:
        """Run a program of this machine in the host's network namespace."""
        init = cgroup.init_process(self.group)
        if init is None:
            raise LabError(f"{self.host.name} is off")
        run(["nsenter", "--target", str(init), "--net", *command], check=check)

    def _write_identity(self) -> None:
        plan, host, etc = self.plan, self.host, self.root / "etc"
        (etc / "hostname").write_text(f"{host.name}\n")
        (etc / "hosts").write_text(
            f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n::1 localhost ip6-localhost ip6-loopback\n"
        )
        identity = hashlib.sha256(f"{self.directory} {host.name}".encode()).hexdigest()[:32]
        (etc / "machine-id").unlink()
        (etc / "machine-id").write_text(f"{identity}\n")
        network = _NETWORK.format(address=host.address, prefix=plan.network.prefixlen, gateway=plan.jump_address)
        (etc / "systemd/network/10-host0.network").write_text(network)
        run(["ssh-keygen", "-q", "-A", "-f", self.root], timeout_s=120)

    def _write_access(self, keys: LoginKeys) -> None:
        if self.host == self.plan.bastion:
            run(["useradd", "--root", self.root, "--create-home", "--shell", "/bin/bash", BASTION_USER])
            self._authorize(f"home/{BASTION_USER}", keys.bastion)
            return
        self._authorize("root", keys.everywhere)
        self._authorize(f"home/{OP_USER}", keys.everywhere)
        if self.host.behind_bastion and self.plan.bastion:
            units = self.root / "etc/systemd/system"
            unit = (FILES / "lab-ssh-filter.service").read_text().replace("@BASTION@", self.plan.bastion.address)
            (units / "lab-ssh-filter.service").write_text(unit)
            (units / "multi-user.target.wants/lab-ssh-filter.service").symlink_to("../lab-ssh-filter.service")

    def _authorize(self, home: str, public_key: str) -> None:
        place = self.root / home / ".ssh"
        owner = (self.root / home).stat()
        place.mkdir(mode=0o700, exist_ok=True)
        (place / "authorized_keys").write_text(public_key)
        (place / "authorized_keys").chmod(0o600)
        for path in (place, place / "authorized_keys"):
            os.chown(path, owner.st_uid, owner.st_gid)

    def _started(self) -> bool:
        # Not the whole start-up: an RKE2 that waits for its quorum would never let it end.
        units = "systemd-networkd.service systemd-user-sessions.service ssh.service"
        return self.inside(f"systemctl is-active --quiet {units}", check=False, timeout_s=20).returncode == 0

    def _greets(self) -> bool:
        if self.host.behind_bastion:
            return self.inside("exec 3<>/dev/tcp/127.0.0.1/22 && read -r line <&3", check=False).returncode == 0
        try:
            with socket.create_connection((self.host.address, 22), timeout=1) as link:
                link.settimeout(5)
                return link.recv(4) == b"SSH-"
        except OSError:
            return False
