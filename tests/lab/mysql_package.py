"""A package of MySQL 8.0.15 for the lab's hosts: the real server, with what MySQL's own package for Debian does.

Unit, layout and what is done when it is configured follow mysql/mysql-server 8.0, packaging/deb-in. The server is that
of ``tests.lab.servers.databases``, which has neither clients nor plug-ins: ``mysqldump`` comes from MariaDB's clients,
whose alternative for ``my.cnf`` must not win here.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.lab.bundle import PACKAGES
from tests.lab.packages import bundle_with
from tests.lab.servers.databases import program_files
from tests.lab.shell import run

VERSION = "8.0.15"
_HOME = "usr/lib/mysql-8.0"
_CONTROL = f"""Package: mysql-community-server
Version: {VERSION}-1lab
Architecture: amd64
Maintainer: lab
Depends: libaio1, libnuma1
Description: MySQL server of the lab
"""
_UNIT = """[Unit]
Description=MySQL Community Server
After=network.target
[Install]
WantedBy=multi-user.target
[Service]
User=mysql
Group=mysql
Type=forking
PIDFile=/run/mysqld/mysqld.pid
ExecStart=/usr/sbin/mysqld --daemonize --pid-file=/run/mysqld/mysqld.pid
TimeoutSec=600
Restart=on-failure
RestartPreventExitStatus=1
RuntimeDirectory=mysqld
RuntimeDirectoryMode=755
"""
_POSTINST = """#!/bin/sh
set -e
getent group mysql >/dev/null || groupadd --system mysql
getent passwd mysql >/dev/null || useradd --system --gid mysql --home-dir /nonexistent --shell /bin/false mysql
install -d -m 0750 -o mysql -g mysql /var/lib/mysql
install -d -m 0750 -o mysql -g adm /var/log/mysql
update-alternatives --force --install /etc/mysql/my.cnf my.cnf /etc/mysql/mysql.cnf 900
[ -n "$(ls -A /var/lib/mysql)" ] || mysqld --initialize-insecure --user=mysql >/dev/null 2>&1
systemctl daemon-reload
deb-systemd-helper enable mysql.service >/dev/null || true
deb-systemd-invoke start mysql.service >/dev/null || true
"""
_FILES = {
    "etc/mysql/mysql.cnf": "!includedir /etc/mysql/conf.d/\n!includedir /etc/mysql/mysql.conf.d/\n",
    "etc/mysql/mysql.conf.d/mysqld.cnf": (
        f"[mysqld]\nbasedir=/{_HOME}\npid-file=/run/mysqld/mysqld.pid\nsocket=/run/mysqld/mysqld.sock\n"
        "datadir=/var/lib/mysql\nlog-error=/var/log/mysql/error.log\n"
    ),
    "lib/systemd/system/mysql.service": _UNIT,
    "DEBIAN/control": _CONTROL,
    "DEBIAN/postinst": _POSTINST,
}


def bundle_with_mysql(bundle: Path, place: Path) -> Path:
    """A bundle at another place, with MySQL, its libraries and a mysqldump beside what it has."""
    made = bundle_with(bundle, place, ["libaio1", "libnuma1", "mariadb-client"])
    _package(place.parent / "mysql-package", made / PACKAGES / f"mysql-community-server_{VERSION}-1lab_amd64.deb")
    return made


def _package(root: Path, target: Path) -> None:
    home = program_files("8.0")
    for name in ("bin", "lib", "share"):
        shutil.copytree(home / name, root / _HOME / name, symlinks=True)
    (root / "usr/sbin").mkdir(parents=True)
    (root / "usr/sbin/mysqld").symlink_to(f"/{_HOME}/bin/mysqld")
    (root / "etc/mysql/conf.d").mkdir(parents=True)
    for name, text in _FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / "DEBIAN/postinst").chmod(0o755)
    run(["dpkg-deb", "--build", "--root-owner-group", "-Znone", root, target], timeout_s=300)
