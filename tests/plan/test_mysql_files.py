"""What the servers of a made MySQL pair are given in files: their settings, and the script of the nightly dump."""

from __future__ import annotations

import configparser
import os
import subprocess
import time
from pathlib import Path

import pytest

from rbdtui.plan.content import fill_asset
from rbdtui.probes.mysql_semi_sync import semi_sync_names

DAY_S = 24 * 3600
DUMPS = "/var/backups/rbdtui-mysql"
MYSQL = """#!/bin/sh
echo "$REPLICA"
"""
MYSQLDUMP = """#!/bin/sh
[ "$1" != --help ] || { echo --set-gtid-purged; exit 0; }
echo "$@" >"$SEEN"
echo "CREATE DATABASE console;"
[ -n "$CUT" ] || echo "-- Dump completed on 2026-11-30"
"""


def settings() -> configparser.SectionProxy:
    """What mysqld reads."""
    values = {"header": "# rbdtui", "server_id": "1", "address": "10.0.0.1", "port": "3306", "init_file": "/etc/init"}
    values["semi_sync"] = semi_sync_names("8.0.36").settings()
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(fill_asset("mysql.cnf", values, str).shown)
    return parser["mysqld"]


def test_binary_logs_are_kept_for_a_week_and_no_longer() -> None:
    """A replica that was away for less finds all that it lacks; the disk does not fill up with the rest."""
    own = settings()
    assert own.getint("binlog_expire_logs_seconds") == 7 * DAY_S
    assert own["log_bin"] == "binlog"


def test_both_copy_by_gtids_and_take_no_writes_until_told() -> None:
    own = settings()
    assert {own[key] for key in ("gtid_mode", "enforce_gtid_consistency", "log_slave_updates", "super_read_only")} == {
        "ON"
    }
    assert own["collation_server"] == "utf8mb4_unicode_ci"


def dumped(tmp_path: Path, *, replica: str = "1", cut: str = "") -> tuple[int, set[str]]:
    """Run the script beside dumps of several ages; its exit status, and what of the old ones is there afterwards."""
    programs, dumps = tmp_path / "bin", tmp_path / "dumps"
    programs.mkdir()
    dumps.mkdir()
    for name, text in {"mysql": MYSQL, "mysqldump": MYSQLDUMP}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    for days, name in {1: "yesterday.sql.gz", 29: "kept.sql.gz", 32: "old.sql.gz", 90: "notes.txt"}.items():
        (dumps / name).write_text("x")
        os.utime(dumps / name, (time.time() - days * DAY_S,) * 2)
    text = fill_asset("mysql-dump.sh", {"header": "# rbdtui", "options": "/etc/mysql/dump.cnf"}, str).shown
    assert DUMPS in text
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "REPLICA": replica, "CUT": cut}
    answer = subprocess.run(
        ["sh", "-c", text.replace(DUMPS, str(dumps))], env={**environment, "SEEN": str(tmp_path / "seen")},
        stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    return answer.returncode, {file.name for file in dumps.iterdir()}


def test_dumps_older_than_thirty_days_go_once_a_new_one_is_whole(tmp_path: Path) -> None:
    status, left = dumped(tmp_path)
    assert status == 0
    assert left >= {"yesterday.sql.gz", "kept.sql.gz", "notes.txt"}
    assert "old.sql.gz" not in left
    (new,) = left - {"yesterday.sql.gz", "kept.sql.gz", "notes.txt"}
    assert new.endswith("Z.sql.gz")
    arguments = (tmp_path / "seen").read_text().split()
    assert arguments[0] == "--defaults-extra-file=/etc/mysql/dump.cnf"
    assert arguments[-3:] == ["--databases", "console", "region"]


@pytest.mark.parametrize(
    ("replica", "cut", "expected"), [("1", "yes", 1), ("0", "", 0)], ids=["cut off", "copied from"]
)
def test_without_a_new_whole_dump_no_old_one_goes(tmp_path: Path, replica: str, cut: str, expected: int) -> None:
    status, left = dumped(tmp_path, replica=replica, cut=cut)
    assert status == expected
    assert left == {"yesterday.sql.gz", "kept.sql.gz", "old.sql.gz", "notes.txt"}
