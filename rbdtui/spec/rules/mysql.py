"""MySQL: whose server it is, and what of one outside or of a pair that is made can be wrong without asking anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.spec.mysql_accounts import ACCOUNTS
from rbdtui.spec.rules.base import RuleInput
from rbdtui.spec.rules.storage import is_own_loopback
from rbdtui.spec.sections.mysql import MysqlMode

_LONGEST_NAME: Final = 32
"""Characters of a user's name in MySQL 5.7 and 8.0 (reference manual, 6.2.1)."""
_SSH_PORT: Final = 22
_NAME: Final = re.compile(rf"[A-Za-z0-9_.-]{{1,{_LONGEST_NAME}}}")
"""What needs no quoting in its statements."""
_TAKEN: Final = frozenset({"root", "mysql.sys", "mysql.session", "mysql.infoschema", *ACCOUNTS})


def mysql(rule: RuleInput) -> Iterator[Finding]:
    """Where an external server is, and who logs in; what the built-in one loses tells `single_points`."""
    mysql = rule.spec.mysql
    if "mysql" not in rule.spec.profile.sections or mysql.mode is MysqlMode.BUILTIN:
        return
    if mysql.username is not None and ":" in mysql.username:
        yield rule.finding("RBD-MYSQL-002", Severity.ERROR, "mysql.username", user=mysql.username)
    if mysql.host is None or mysql.mode is not MysqlMode.EXTERNAL:
        return
    if is_own_loopback(mysql.host):
        yield rule.finding("RBD-MYSQL-003", Severity.ERROR, "mysql.host", host=mysql.host)
    for node in rule.spec.nodes:
        if mysql.host in (node.name, *map(str, node.addresses)):
            yield rule.finding("RBD-MYSQL-004", Severity.WARNING, "mysql.host", node=node.name)


def mysql_pair(rule: RuleInput) -> Iterator[Finding]:
    """A pair stands on two servers, at best beside Kubernetes, and Rainbond has an account of its own."""
    spec, mysql = rule.spec, rule.spec.mysql
    if "mysql" not in spec.profile.sections or mysql.mode is not MysqlMode.PAIR:
        return
    if mysql.source is not None and mysql.source == mysql.replica:
        yield rule.finding("RBD-MYSQL-005", Severity.ERROR, "mysql.replica", node=mysql.source)
    told: set[str] = set()
    for key, name in (("source", mysql.source), ("replica", mysql.replica)):
        node = next((node for node in spec.nodes if node.name == name), None)
        if node is None or node.name in told:
            continue
        told.add(node.name)
        if not node.is_outside:
            yield rule.finding("RBD-MYSQL-004", Severity.WARNING, f"mysql.{key}", node=node.name)
        if mysql.port == (node.ssh.port or spec.ssh.port or _SSH_PORT):
            yield rule.finding("RBD-MYSQL-007", Severity.ERROR, "mysql.port", node=node.name, port=mysql.port)
    user = mysql.username
    if user is not None and ":" not in user and (user.lower() in _TAKEN or _NAME.fullmatch(user) is None):
        yield rule.finding("RBD-MYSQL-006", Severity.ERROR, "mysql.username", user=user, most=_LONGEST_NAME)
