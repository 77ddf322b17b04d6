"""Rainbond's two databases on the MySQL server outside, where its account may make them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.checks.services.asking import Asking
from rbdtui.checks.services.mysql import CHECK, MysqlQuestion
from rbdtui.checks.services.mysql_databases import look_at, put_right
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.words import T


@dataclass(frozen=True, slots=True)
class MakeDatabases(Step):
    """Make those that are not there, and give an empty one the right characters."""

    name: ClassVar[str] = "repair-databases"
    codes: ClassVar[frozenset[str]] = frozenset({"RBD-MYSQL-131", "RBD-MYSQL-137"})

    async def pending(self, context: StepContext) -> Pending[tuple[str, ...]]:
        """The statements; raises `StepError` when the server cannot be asked."""
        question = _question(context)
        async with _telling(context, question) as asking:
            found = await look_at(question, asking)
        statements = tuple(each.statement for each in found if each.statement)
        changes = tuple(
            Change(ChangeKind.COMMAND, T("plan.change.database", server=question.host), f"{statement};")
            for statement in statements
        )
        return Pending(changes, "\n".join(statements), seen=statements)

    async def apply(self, context: StepContext, pending: Pending[tuple[str, ...]]) -> None:
        """Carry them out; raises `StepError` with the server's words."""
        question = _question(context)
        async with _telling(context, question) as asking:
            await put_right(question, asking, pending.seen)


def _question(context: StepContext) -> MysqlQuestion:
    question = CHECK.question(context.spec)
    if question is None:
        raise StepError("repair_unknown", step=MakeDatabases.name)
    return question


@asynccontextmanager
async def _telling(context: StepContext, question: MysqlQuestion) -> AsyncIterator[Asking]:
    """The first node, from which the server is asked; what goes wrong becomes a sentence."""
    node = context.spec.managed_cluster_nodes[0].name if context.spec.managed_cluster_nodes else ""
    try:
        yield Asking(context.secret, context.hosts[node] if node else None)
    except StepError:
        raise
    except Exception as error:  # a server can upset pymysql in any way
        words = str(error.args[1]) if len(error.args) > 1 else str(error)
        raise StepError("repair_database", server=f"{question.host}:{question.port}", evidence=words[:300]) from error
