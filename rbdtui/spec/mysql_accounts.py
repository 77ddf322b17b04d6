"""Accounts of MySQL servers that the plan makes, beside Rainbond's own; the vault has their passwords."""

from __future__ import annotations

from typing import Final

ADMIN: Final = "rbdtui"
"""May do everything, from its own server alone: it is reached through SSH."""
REPLICATION: Final = "rbdtui-replica"
DUMP: Final = "rbdtui-dump"
"""Reads everything, from its own server alone."""
ACCOUNTS: Final = (ADMIN, REPLICATION, DUMP)
ADMIN_SECRET: Final = "mysql-admin"  # noqa: S105 - the name of a secret
REPLICATION_SECRET: Final = "mysql-replication"  # noqa: S105 - the name of a secret
DUMP_SECRET: Final = "mysql-dump"  # noqa: S105 - the name of a secret
SECRETS: Final = (ADMIN_SECRET, REPLICATION_SECRET, DUMP_SECRET)
