"""The disks that hosts are copied from: Debian 12 without Python, and the same with keepalived."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.lab.cache import Cache, digest
from tests.lab.layout import OP_PASSWORD, OP_USER
from tests.lab.machine import debian_sources
from tests.lab.shell import LabError, Progress, run, run_long

FILES = Path(__file__).parent / "files"
_BASE_FILES = tuple(FILES / name for name in ("base-packages.txt", "lab-cgroup.service", "sshd.conf"))

IMAGE_GIB = 4
"""Size of the disks here; the copy of each host is grown to its own size."""

_NOT_IN_BASE = ("usr/bin/python3", "usr/bin/curl", "usr/sbin/keepalived")
_NO_EFFECT_UNITS = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
)
_MACHINE_APT_CONF = Path("etc/apt/apt.conf.d/99lab-build")


def base_key() -> str:
    """Changes when the base would come out differently."""
    return digest(Path(__file__), *_BASE_FILES, OP_USER, OP_PASSWORD)


def base_image(cache: Cache, progress: Progress) -> Path:
    """A directory with `root` (the base's files) and `disk.img`; made in about a minute when it is missing."""

    def build(place: Path) -> None:
        root = place / "root"
        sources = debian_sources(progress)
        packages = ",".join((FILES / "base-packages.txt").read_text().split())
        options = ["--variant=minbase", f"--include={packages}"]
        run_long(
            ["debootstrap", *options, "bookworm", root, sources[0].split()[0]],
            log=place / "debootstrap.log",
            label="debootstrap",
            progress=progress,
            timeout_s=1200,
        )
        prepare_apt(root, sources)
        in_image(root, "apt-get update -q && apt-get -y -q upgrade", timeout_s=600)
        in_image(root, f"useradd -m -s /bin/bash {OP_USER} && chpasswd", stdin=f"{OP_USER}:{OP_PASSWORD}\n")
        _configure(root)
        clean_apt(root)
        present = [name for name in _NOT_IN_BASE if (root / name).exists()]
        if present:
            raise LabError(f"the base must not have {', '.join(present)}")
        _make_disk(root, place / "disk.img")

    return cache.entry("base", base_key(), build)


def keepalived_image(cache: Cache, base: Path, progress: Progress) -> Path:
    """A directory with `disk.img` (the base with keepalived) and `debs` (the packages that this adds to the base)."""

    def build(place: Path) -> None:
        root, debs = place / "root", place / "debs"
        debs.mkdir()
        run(["cp", "-a", base / "root", root], timeout_s=300)
        prepare_apt(root, debian_sources(progress))
        options = "-y -q --no-install-recommends -o APT::Keep-Downloaded-Packages=true keepalived"
        in_image(root, f"apt-get update -q && apt-get install --download-only {options}", timeout_s=600)
        for package in (root / "var/cache/apt/archives").glob("*.deb"):
            shutil.copy(package, debs / re.sub(r"_\d+%3a", "_", package.name))
        in_image(root, f"apt-get install {options} && systemctl disable -q keepalived", timeout_s=600)
        clean_apt(root)
        _make_disk(root, place / "disk.img")
        run(["rm", "-rf", "--one-file-system", root], timeout_s=300)

    return cache.entry("keepalived", digest(Path(__file__), base_key()), build)


def _make_disk(root: Path, image: Path) -> None:
    with image.open("wb") as handle:
        handle.truncate(IMAGE_GIB * 2**30)
    # No reserved blocks: a disk that is full is then full for root as well.
    run(["mkfs.ext4", "-q", "-F", "-m", "0", "-L", "root", "-d", root, image], timeout_s=300)


def in_image(root: Path, script: str, *, stdin: str | None = None, timeout_s: float = 60) -> str:
    """Run a shell script inside a root file system, with this machine's network."""
    container = [
        "systemd-nspawn",
        "--quiet",
        "--register=no",
        "--keep-unit",
        "--pipe",
        "--resolv-conf=copy-host",
        "-D",
        root,
    ]
    shell = ["--setenv=DEBIAN_FRONTEND=noninteractive", "--setenv=LC_ALL=C.UTF-8", "/bin/sh", "-ec", script]
    return run([*map(str, container), *shell], stdin=stdin, timeout_s=timeout_s).stdout


def prepare_apt(root: Path, sources: Sequence[str]) -> None:
    """Let apt inside an image use the archive of this machine, the way this machine does."""
    (root / "etc/apt/sources.list").write_text("".join(f"deb {line}\n" for line in sources))
    (root / _MACHINE_APT_CONF).write_text(run(["apt-config", "dump", "Acquire"]).stdout)


def clean_apt(root: Path) -> None:
    """Take away what only the building of the image needed, and its way out: hosts have an empty resolver."""
    (root / _MACHINE_APT_CONF).unlink()
    in_image(root, "apt-get clean; rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/*.log")
    resolver = root / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.touch()


def _configure(root: Path) -> None:
    shutil.copy(FILES / "lab-cgroup.service", root / "etc/systemd/system/lab-cgroup.service")
    shutil.copy(FILES / "sshd.conf", root / "etc/ssh/sshd_config.d/lab.conf")
    (root / "etc/sudoers.d/op").write_text(f"{OP_USER} ALL=(ALL) ALL\n")
    (root / "etc/sudoers.d/op").chmod(0o440)
    in_image(root, "systemctl enable -q systemd-networkd ssh lab-cgroup")
    in_image(root, f"systemctl mask -q {' '.join(_NO_EFFECT_UNITS)}")
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "etc/machine-id").write_text("")
