"""MySQL: whose server it is, and what of an external one can be wrong without asking it."""

from __future__ import annotations

from collections.abc import Iterator

from rbdtui.findings import Finding, Severity
from rbdtui.spec.rules.base import RuleInput
from rbdtui.spec.rules.storage import is_own_loopback
from rbdtui.spec.sections.mysql import MysqlMode


def mysql(rule: RuleInput) -> Iterator[Finding]:
    """Where an external server is, and who logs in; what the built-in one loses tells `single_points`."""
    mysql = rule.spec.mysql
    if "mysql" not in rule.spec.profile.sections or mysql.mode is not MysqlMode.EXTERNAL:
        return
    if mysql.username is not None and ":" in mysql.username:
        yield rule.finding("RBD-MYSQL-002", Severity.ERROR, "mysql.username", user=mysql.username)
    if mysql.host is None:
        return
    if is_own_loopback(mysql.host):
        yield rule.finding("RBD-MYSQL-003", Severity.ERROR, "mysql.host", host=mysql.host)
    for node in rule.spec.nodes:
        if mysql.host in (node.name, *map(str, node.addresses)):
            yield rule.finding("RBD-MYSQL-004", Severity.WARNING, "mysql.host", node=node.name)
