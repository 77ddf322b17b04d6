"""A user with a real sudo on the OpenSSH server of the tests: accounts and rules of its own, changed while it runs."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rbdtui.transport.endpoints import Endpoint
from tests.transport.openssh import RealSshd

USER = "ops"
SUDO = Path("/usr/bin/sudo")
PAM = """\
auth [success=2 default=ignore] pam_unix.so nodelay
auth optional pam_exec.so quiet expose_authtok {directory}/refused.sh
auth requisite pam_deny.so
auth required pam_permit.so
account required pam_permit.so
session required pam_permit.so
"""
REFUSED = """#!/bin/sh
{{ tr -d '\\0'; echo; }} >> {directory}/refused
"""


def why_not() -> str:
    """Why sudo cannot be tried here; empty when it can."""
    return "" if SUDO.exists() else f"{SUDO} is missing: install sudo"


@dataclass
class SudoUser:
    """The files that say who ``ops`` is and what he may, and a list of passwords that sudo refused."""

    directory: Path

    @property
    def mounts(self) -> tuple[str, ...]:
        """Commands that put the files in their places."""
        files = [(self.directory / name, f"/etc/{name}") for name in ("passwd", "shadow", "group", "sudoers")]
        files.append((self.directory / "pam", "/etc/pam.d/sudo"))
        return tuple(f"mount --bind {source} {target}" for source, target in files)

    def set_up(self, password: str, rules: str = "ops ALL=(ALL) ALL") -> None:
        """The account with this password, and a line of sudoers."""
        home = self.directory / "ops"
        home.mkdir()
        shutil.chown(home, 4242, 4242)
        for name in ("passwd", "shadow", "group"):
            shutil.copy(f"/etc/{name}", self.directory / name)
        with (self.directory / "passwd").open("a") as passwd:
            passwd.write(f"{USER}:x:4242:4242::{home}:/bin/bash\n")
        with (self.directory / "group").open("a") as group:
            group.write(f"{USER}:x:4242:\n")
        (self.directory / "pam").write_text(PAM.format(directory=self.directory))
        (self.directory / "refused.sh").write_text(REFUSED.format(directory=self.directory))
        (self.directory / "refused.sh").chmod(0o755)
        # PAM runs it as the user.
        (self.directory / "refused").touch()
        (self.directory / "refused").chmod(0o666)
        self.set_password(password)
        self.set_rules(rules)

    def set_password(self, password: str) -> None:
        """Another password, from now on."""
        done = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"], input=password.encode(), capture_output=True, check=True, timeout=20
        )
        shadow = self.directory / "shadow"
        others = [line for line in shadow.read_text().splitlines() if not line.startswith(f"{USER}:")]
        shadow.write_text("\n".join([*others, f"{USER}:{done.stdout.decode().strip()}:19000:0:99999:7:::"]) + "\n")

    def set_rules(self, *lines: str) -> None:
        """Other rules, from now on."""
        sudoers = self.directory / "sudoers"
        text = "\n".join(["Defaults secure_path=/usr/sbin:/usr/bin:/sbin:/bin", *lines]) + "\n"
        sudoers.write_text(text)
        sudoers.chmod(0o440)

    @property
    def refused(self) -> list[str]:
        """What sudo took for a password and refused."""
        return (self.directory / "refused").read_text().splitlines()

    def endpoint(self, sshd: RealSshd) -> Endpoint:
        """How to log in as ``ops``, whose sudo password is the secret ``sudo``."""
        return sshd.endpoint(user=USER, sudo_password="sudo")
