"""A MySQL server of a simulated host: its accounts, databases, transactions and replication, behind the real protocol.

Source: MySQL 8.0 reference manual, 13 (statements), 17.1.3 (GTIDs), 17.2.1; words of errors: mysql/mysql-server@8.0,
share/messages_to_clients.txt. Its language is that of 8.0.36, which knows the words of both ages of replication.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from rbdtui.listening import listen
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.mysql_semi_sync import SemiSync
from rbdtui.simulator.mysql_wire import MysqlError, Rows, serve
from rbdtui.simulator.units import ServiceFailed, Unit

UNIT: Final = "mysql"
DATA: Final = "/var/lib/mysql"
CONFIGS: Final = "/etc/mysql/mysql.conf.d"
PLUGINS: Final = "/usr/lib/mysql/plugin"
VERSION: Final = "8.0.36"
_ACCESS_DENIED: Final = 1045
_READ_ONLY: Final = 1290
_WRITES: Final = re.compile(r"(CREATE|ALTER|DROP|GRANT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_ACCOUNT: Final = r"'(?P<user>[^']+)'@'(?P<host>[^']+)'"


@dataclass(slots=True)
class Account:
    """Someone who may log in."""

    kept: str
    """``*`` and the double SHA-1 of the password, in hexadecimal digits."""
    rights: set[str] = field(default_factory=set)
    """Databases; ``*`` for all."""


@dataclass(slots=True)
class Copying:
    """Where a replica copies from."""

    address: str = ""
    port: int = 3306
    user: str = ""
    password: str = ""
    auto_position: bool = False
    runs: bool = False


@dataclass(slots=True)
class MysqlData:
    """What lies in the data directory: it outlives restarts, and a power cut."""

    uuid: str
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    databases: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Character set and collation, by name."""
    log: list[tuple[str, int, Callable[[MysqlData], None]]] = field(default_factory=list)
    """Binary logs: transactions in their order, each with the server that it comes from and its number there."""
    executed: set[tuple[str, int]] = field(default_factory=set)
    purged: set[tuple[str, int]] = field(default_factory=set)
    persisted: dict[str, str] = field(default_factory=dict)
    copying: Copying | None = None
    apply_error: str = ""

    def write(self, change: Callable[[MysqlData], None], *, logged: bool = True) -> None:
        """A transaction of this server itself."""
        change(self)
        if logged:
            number = 1 + max((each for server, each in self.executed if server == self.uuid), default=0)
            self.log.append((self.uuid, number, change))
            self.executed.add((self.uuid, number))


def gtids(executed: set[tuple[str, int]]) -> str:
    """A set of transactions as a server writes it."""
    shown = []
    for server in sorted({server for server, _ in executed}):
        numbers = sorted(number for owner, number in executed if owner == server)
        spans: list[list[int]] = []
        for number in numbers:
            if spans and spans[-1][1] == number - 1:
                spans[-1][1] = number
            else:
                spans.append([number, number])
        shown.append(":".join([server, *(f"{a}-{b}" if a != b else str(a) for a, b in spans)]))
    return ",\n".join(shown)


class MysqlServer:
    """One start of the server on a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.data: MysqlData = data_of(machine)
        self._settings: dict[str, str] = {}
        self.semi_sync = SemiSync({}, ())

    async def __call__(self, unit: Unit) -> None:
        """Serve until stopped; raises `ServiceFailed` when the settings are no good."""
        machine = self._machine
        self._settings = _settings(machine)
        if self._settings.get("gtid_mode") == "ON" and self._settings.get("enforce_gtid_consistency") != "ON":
            unit.log("[ERROR] [MY-010912] GTID_MODE = ON requires ENFORCE_GTID_CONSISTENCY = ON.")
            raise ServiceFailed
        self._settings |= self.data.persisted
        self.semi_sync = SemiSync(
            self._settings, machine.files.listdir(PLUGINS) if machine.files.is_dir(PLUGINS) else ()
        )
        for statement in filter(None, _init_statements(machine, self._settings.get("init_file", ""))):
            self._as_system(statement)
        port = int(self._settings.get("port", "3306"))
        server = await listen(lambda reader, writer: serve(reader, writer, VERSION, self._password_of, self._session))
        machine.mysql = self
        try:
            machine.listen(port, "mysqld", backend=server.sockets[0].getsockname()[:2])
            unit.log(
                f"[System] [MY-010931] /usr/sbin/mysqld: ready for connections. Version: '{VERSION}'  port: {port}"
            )
            unit.ready()
            await asyncio.Event().wait()
        except OSError as error:
            unit.log(f"[ERROR] [MY-010262] Can't start server: Bind on TCP/IP port: {error}")
            raise ServiceFailed from error
        finally:
            machine.mysql = None
            machine.unlisten(port)
            server.close()

    def _password_of(self, user: str) -> str | None:
        """What the password of an account of loopback or of everywhere is compared with."""
        found = [self.data.accounts.get((user, host)) for host in ("127.0.0.1", "localhost", "%")]
        return next((each.kept for each in found if each is not None), None)

    def _as_system(self, statement: str) -> None:
        """A statement of ``init_file``: super_read_only does not hold, and `sql_log_bin` is off where it says so."""
        for pattern, carry_out in _STATEMENTS:
            if match := pattern.fullmatch(statement):
                if (change := carry_out(self, match)) is not None:
                    self.data.write(change, logged=False)
                return

    def _session(self, user: str) -> Callable[[str], Rows | None]:
        return self.execute

    @property
    def read_only(self) -> bool:
        """Whether it takes no writes of anybody."""
        return self._settings.get("super_read_only") == "ON"

    def execute(self, statement: str) -> Rows | None:
        """What a statement answers; None for one without rows. Raises `MysqlError`."""
        statement = statement.strip().rstrip(";")
        self.copy()
        if self.read_only and _WRITES.match(statement):
            words = "The MySQL server is running with the --super-read-only option so it cannot execute this statement"
            raise MysqlError(_READ_ONLY, words)
        if (rows := self._question(statement)) is not None:
            return rows
        for pattern, carry_out in _STATEMENTS:
            if match := pattern.fullmatch(statement):
                change = carry_out(self, match)
                if change is not None:
                    self.data.write(change, logged="log_bin" in self._settings)
                    self._committed()
                return None
        if re.match(r"SET\b|DO\b|USE\b", statement, re.IGNORECASE):
            return None
        near = statement[:40]
        raise MysqlError(1064, f"You have an error in your SQL syntax; check the manual near '{near}' at line 1")

    # --- replication -----------------------------------------------------------------------------------------

    def copy(self) -> None:
        """Bring over what the source has that this server has not, as far as both threads run."""
        source = self._source()
        if source is None or self.data.apply_error:
            return
        self.semi_sync.met(source.semi_sync)
        for server, number, change in source.data.log:
            if (server, number) not in self.data.executed:
                change(self.data)
                self.data.log.append((server, number, change))
                self.data.executed.add((server, number))
                self._committed()

    def _committed(self) -> None:
        """A transaction is told as done once those who acknowledge have it."""
        replicas = self._acknowledging()
        self.semi_sync.committed(len(replicas))
        for each in replicas:
            each.copy()

    def _acknowledging(self) -> list[MysqlServer]:
        servers = [each.mysql for each in self._machine.network.machines if each.mysql is not None]
        found = [each for each in servers if each._source() is self and each.semi_sync.acknowledges]
        return found if self.semi_sync.source else []

    def receives(self) -> str:
        """Whether the thread that receives is connected: ``Yes``, ``No`` or ``Connecting``."""
        copying = self.data.copying
        if copying is None or not copying.runs:
            return "No"
        return "Yes" if self._source() is not None else "Connecting"

    def _source(self) -> MysqlServer | None:
        copying = self.data.copying
        if copying is None or not copying.runs:
            return None
        network = self._machine.network
        others = [each for each in network.machines if str(each.ip) == copying.address]
        there = next((each for each in network.seen_by(self._machine, others) if each.mysql is not None), None)
        if there is None or there.mysql is None or there.listener(copying.address, copying.port) is None:
            return None
        account = there.mysql.data.accounts.get((copying.user, str(self._machine.ip)))
        return there.mysql if account is not None and account.kept == kept_of(copying.password) else None

    @property
    def replicas(self) -> int:
        """How many copy from here now."""
        servers = [each.mysql for each in self._machine.network.machines if each.mysql is not None]
        return sum(each._source() is self for each in servers)

    def _status(self, new: bool) -> Rows:
        copying = self.data.copying
        r, s = ("Replica", "Source") if new else ("Slave", "Master")
        names: tuple[str, ...] = (
            f"{s}_Host",
            f"{s}_Port",
            f"{r}_IO_Running",
            f"{r}_SQL_Running",
            f"Seconds_Behind_{s}",
        )
        names += ("Last_IO_Error", "Last_SQL_Error", "Auto_Position", "Retrieved_Gtid_Set")
        if copying is None:
            return Rows(names, [])
        receives, applies = self.receives(), "Yes" if copying.runs and not self.data.apply_error else "No"
        refused = f"error connecting to master '{copying.user}@{copying.address}:{copying.port}'"
        return Rows(
            names,
            [
                (
                    copying.address, copying.port, receives, applies,
                    0 if receives == applies == "Yes" else None,
                    refused if receives == "Connecting" else "", self.data.apply_error, int(copying.auto_position),
                    gtids(self.data.executed),
                )
            ],
        )  # fmt: skip

    # --- questions -------------------------------------------------------------------------------------------

    def _question(self, statement: str) -> Rows | None:
        upper = statement.upper()
        if upper in ("SHOW SLAVE STATUS", "SHOW REPLICA STATUS"):
            return self._status("REPLICA" in upper)
        if upper.startswith("SHOW GLOBAL VARIABLES LIKE 'HAVE_SSL'"):
            return Rows(("Variable_name", "Value"), [("have_ssl", "YES")])
        if upper.startswith("SHOW GLOBAL STATUS LIKE 'RPL"):
            copies = self.data.copying is not None and self.data.copying.runs
            counters = self.semi_sync.counters(len(self._acknowledging()), copies=copies)
            return Rows(("Variable_name", "Value"), counters)
        if "FROM MYSQL.USER" in upper:
            rows = [(user, host, account.kept) for (user, host), account in self.data.accounts.items()]
            return Rows(("user", "host", "kept"), rows)
        if "INFORMATION_SCHEMA.USER_PRIVILEGES" in upper:
            return Rows(("who", "place"), [
                (f"'{user}'@'{host}'", place)
                for (user, host), account in self.data.accounts.items() for place in sorted(account.rights)
            ])  # fmt: skip
        if "INFORMATION_SCHEMA.SCHEMATA" in upper:
            own = {"mysql": ("utf8mb4", "utf8mb4_0900_ai_ci"), **self.data.databases}
            return Rows(("name", "charset", "collation", "tables_in"), [(k, *v, 0) for k, v in own.items()])
        if "INFORMATION_SCHEMA.PROCESSLIST" in upper:
            return Rows(("n",), [(self.replicas,)])
        if upper.startswith("SELECT @@"):
            parts = [part.split(" AS ") for part in statement[len("SELECT ") :].split(", ")]
            names = tuple(part[-1] for part in parts)
            return Rows(names, [tuple(self._variable(part[0]) for part in parts)])
        return Rows(("1",), [(1,)]) if upper == "SELECT 1" else None

    def _variable(self, name: str) -> str | int:
        bare = name.lower().removeprefix("@@").removeprefix("global.")
        known: dict[str, str | int] = {
            "version": VERSION,
            "server_uuid": self.data.uuid,
            "gtid_mode": self._settings.get("gtid_mode", "OFF"),
            "super_read_only": int(self.read_only),
            "read_only": int(self.read_only or self._settings.get("read_only") == "ON"),
            "gtid_executed": gtids(self.data.executed),
            "gtid_purged": gtids(self.data.purged),
        }
        if bare not in known:
            raise MysqlError(1193, f"Unknown system variable '{bare}'")
        return known[bare]

    # --- statements ------------------------------------------------------------------------------------------

    def _user(self, match: re.Match[str]) -> Callable[[MysqlData], None] | None:
        who, kept, verb = (match["user"], match["host"]), match["kept"], match["verb"].upper()
        is_there = who in self.data.accounts
        if match["unless"] and is_there == (verb == "CREATE"):
            return None
        if is_there == (verb == "CREATE"):
            raise MysqlError(1396, f"Operation {verb} USER failed for '{who[0]}'@'{who[1]}'")

        def change(data: MysqlData) -> None:
            data.accounts[who] = Account(kept, data.accounts[who].rights if who in data.accounts else set())

        return change

    def _grant(self, match: re.Match[str]) -> Callable[[MysqlData], None]:
        who, place = (match["user"], match["host"]), match["place"].strip("`")
        if who not in self.data.accounts:
            raise MysqlError(1410, "You are not allowed to create a user with GRANT")
        return lambda data: data.accounts[who].rights.add(place)

    def _database(self, match: re.Match[str]) -> Callable[[MysqlData], None]:
        name, form = match["name"], (match["charset"], match["collation"])
        if match["verb"].upper() == "CREATE" and name in self.data.databases:
            raise MysqlError(1007, f"Can't create database '{name}'; database exists")

        def change(data: MysqlData) -> None:
            data.databases[name] = form

        self._machine.files.mkdir(f"{DATA}/{name}")
        return change

    def _persist(self, match: re.Match[str]) -> None:
        name, value = match["name"].lower(), match["value"].upper()
        self.data.persisted[name] = self._settings[name] = value
        if name == "read_only" and value == "OFF":
            self.data.persisted["super_read_only"] = self._settings["super_read_only"] = "OFF"

    def _change(self, match: re.Match[str]) -> None:
        pairs = dict(re.findall(r"(?:MASTER|SOURCE)_(\w+)\s*=\s*('[^']*'|\d+)", match["rest"]))
        value = {key: each.strip("'") for key, each in pairs.items()}
        if self.data.copying is not None and self.data.copying.runs:
            raise MysqlError(3021, "This operation cannot be performed with a running replica io thread")
        self.data.copying = Copying(
            value.get("HOST", ""), int(value.get("PORT", "3306")), value.get("USER", ""), value.get("PASSWORD", ""),
            value.get("AUTO_POSITION") == "1",
        )  # fmt: skip

    def _start(self, match: re.Match[str]) -> None:
        if self.data.copying is None:
            raise MysqlError(1200, "The server is not configured as replica; fix in config file or with CHANGE")
        self.data.copying.runs = match["verb"].upper() == "START"

    def _reset(self, match: re.Match[str]) -> None:
        if self.data.copying is not None and self.data.copying.runs:
            raise MysqlError(3081, "This operation cannot be performed with running replication threads")
        self.data.copying = None


_FLAGS: Final = re.IGNORECASE | re.DOTALL
_STATEMENTS: Final = tuple(
    (re.compile(pattern, _FLAGS), carry_out)
    for pattern, carry_out in (
        (
            rf"(?P<verb>CREATE|ALTER) USER (?P<unless>IF (NOT )?EXISTS )?{_ACCOUNT}"
            r" IDENTIFIED WITH mysql_native_password AS '(?P<kept>\*[0-9A-F]{40})'",
            MysqlServer._user,
        ),
        (rf"GRANT .+ ON (?P<place>[^.]+)\.\* TO {_ACCOUNT}( WITH GRANT OPTION)?", MysqlServer._grant),
        (
            r"(?P<verb>CREATE|ALTER) DATABASE `(?P<name>\w+)` CHARACTER SET (?P<charset>\w+)"
            r" COLLATE (?P<collation>\w+)",
            MysqlServer._database,
        ),
        (r"SET PERSIST (?P<name>\w+) = (?P<value>\w+)", MysqlServer._persist),
        (r"CHANGE (MASTER|REPLICATION SOURCE) TO (?P<rest>.*)", MysqlServer._change),
        (r"(?P<verb>START|STOP) (SLAVE|REPLICA)", MysqlServer._start),
        (r"RESET (SLAVE|REPLICA) ALL", MysqlServer._reset),
    )
)


def kept_of(password: str) -> str:
    """What ``mysql_native_password`` keeps of a password."""
    from rbdtui.simulator.mysql_wire import kept_bytes

    return "*" + kept_bytes(password.encode()).hex().upper()


def data_of(machine: Machine) -> MysqlData:
    """The data directory, begun anew where it is empty, as the packages do when they are configured."""
    if machine.mysql_data is None:
        word = machine.identity("mysql")
        uuid = "-".join((word[:8], word[8:12], word[12:16], word[16:20], word[20:32]))
        machine.mysql_data = MysqlData(uuid)
    return machine.mysql_data


def _settings(machine: Machine) -> dict[str, str]:
    """Of all files in the order of their names; later ones win."""
    found: dict[str, str] = {}
    names = sorted(machine.files.listdir(CONFIGS)) if machine.files.is_dir(CONFIGS) else []
    for name in names:
        if name.endswith(".cnf"):
            lines = (line.strip() for line in machine.files.text(f"{CONFIGS}/{name}").splitlines())
            pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
            for key, _, value in pairs:
                known = key.strip().replace("-", "_").removeprefix("loose_")
                # Of all settings this one alone adds to what was said before.
                before = found.get(known, "") if known == "plugin_load_add" else ""
                found[known] = f"{before};{value.strip()}" if before else value.strip()
    return found


def _init_statements(machine: Machine, path: str) -> list[str]:
    lines = machine.files.text(path).splitlines() if path else []
    return [line.strip().rstrip(";") for line in lines if not line.startswith("#")]
