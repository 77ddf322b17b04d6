"""This machine: whether a lab can run on it, and the Debian packages that must be on it for that."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from tests.lab.cache import cache_root, file_lock
from tests.lab.shell import LabError, Progress, run, run_long

NEEDED_PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "tc": "iproute2",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "mkfs.ext4": "e2fsprogs",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "cc": "gcc",
    "dpkg": "dpkg",
    "zstd": "zstd",
}
"""Program and the Debian package that brings it."""

CGROUP_ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")
_FREE_GIB = 10


def why_not() -> str | None:
    """Why a lab cannot run here, or None."""
    return _wrong_kind() or _no_cgroups() or _no_devices() or _no_tools() or _no_room()


def _wrong_kind() -> str | None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"the lab's hosts are Linux on x86_64, this is {sys.platform} on {platform.machine()}"
    if os.geteuid() != 0:
        return "the lab needs root"
    return None


def _no_cgroups() -> str | None:
    missing = [name for name in (*CONTROLLERS, "systemd") if not (CGROUP_ROOT / name / "cgroup.procs").exists()]
    if not missing:
        return None
    if (CGROUP_ROOT / "cgroup.controllers").exists():
        return (
            "this machine has cgroup v2 only; the lab's hosts are tried with cgroup v1"
            " (boot with systemd.unified_cgroup_hierarchy=0)"
        )
    return f"no cgroup v1 controllers {', '.join(missing)} below {CGROUP_ROOT}"


def _no_devices() -> str | None:
    if not Path("/dev/loop-control").exists():
        return "no loop devices: the hosts' disks are files"
    if "overlay" not in Path("/proc/filesystems").read_text() and run(["modprobe", "overlay"], check=False).returncode:
        return "no overlay file system in this kernel"
    return None


def _no_tools() -> str | None:
    if missing_packages() and shutil.which("apt-get") is None:
        return f"no apt-get to install {', '.join(missing_packages())}"
    return None


def _no_room() -> str | None:
    place = cache_root()
    while not place.exists():
        place = place.parent
    free_gib = shutil.disk_usage(place).free / 2**30
    return f"{free_gib:.0f} GiB free at {place}, {_FREE_GIB} are needed" if free_gib < _FREE_GIB else None


def missing_packages() -> list[str]:
    """Debian packages that the lab needs and this machine lacks."""
    return sorted({package for program, package in NEEDED_PROGRAMS.items() if shutil.which(program) is None})


def install_missing(progress: Progress) -> None:
    """Install what is missing from Debian's archive, by this machine's own apt."""
    packages = missing_packages()
    if not packages:
        return
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with file_lock(root / "locks" / "apt.lock", timeout_s=600, busy="another process installs packages"):
        packages = missing_packages()
        if not packages:
            return
        progress(f"installing {', '.join(packages)}")
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *packages]):
            run_long(
                ["apt-get", *words],
                log=root / "apt.log",
                label="apt-get",
                progress=progress,
                timeout_s=900,
                env=environment,
            )
    left = missing_packages()
    if left:
        raise LabError(f"still missing after apt-get install: {', '.join(left)}")


def go_program() -> str:
    """The Go compiler of this machine; `LabError` where there is none."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if found is None:
        raise LabError("no Go compiler (1.22 or newer): the bundle's Kubernetes is built from its sources")
    return found


def debian_sources(progress: Progress) -> list[str]:
    """Lines `address suite component` for Debian 12, from this machine's apt; the main suite comes first."""
    lines = _known_sources()
    if not lines:
        progress("updating apt's lists")
        run(["apt-get", "update", "-q"], timeout_s=600)
        lines = _known_sources()
    if not lines or lines[0].split()[1] != "bookworm":
        raise LabError("this machine's apt knows no archive of Debian 12 (bookworm)")
    return lines


def _known_sources() -> list[str]:
    form = "$(REPO_URI) $(CODENAME) $(COMPONENT)"
    listed = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"]).stdout.splitlines()
    wanted = {line for line in listed if line.split()[1].startswith("bookworm") and line.split()[2] == "main"}
    return sorted(wanted, key=lambda line: line.split()[1])
