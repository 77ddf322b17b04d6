"""A text read as an operator's file would be, in a form that tables of tests can hold."""

from __future__ import annotations

from rbdtui.importers import Imported, recognised
from rbdtui.importers.imported import Hidden, ImportedNode


def read(text: str, expected_format: str) -> Imported:
    """What its content is recognised as must be the format that is expected."""
    importer = recognised(text)
    assert importer is not None
    assert importer.name == expected_format
    return importer.read(text)


def servers(imported: Imported) -> list[tuple[str, str, str]]:
    """Name, address, and roles by their first letters (control-plane, etcd, worker, gateway, build)."""
    return [(node.name, node.address, "".join(role[0] for role in node.roles)) for node in imported.nodes]


def logins(imported: Imported) -> list[dict[str, object]]:
    """What is said of each login, with the secrets as they stood in the text."""
    return [_login(node) for node in imported.nodes]


def _login(node: ImportedNode) -> dict[str, object]:
    found: dict[str, object] = {"user": node.user, "port": node.port, "key": node.key}
    found |= {"password": _plain(node.password), "sudo": _plain(node.sudo_password)}
    found["bastion"] = [bastion.address for bastion in node.bastions]
    return {key: value for key, value in found.items() if value}


def _plain(secret: Hidden | None) -> str:
    return secret.value if secret is not None else ""


def not_taken(imported: Imported) -> list[tuple[int, str]]:
    """Line and reason of all that was left out, in the order of the file."""
    notes = [*imported.refusals, *imported.remarks]
    return sorted((note.line, note.why.key.rpartition(".")[2]) for note in notes)
