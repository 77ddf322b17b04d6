"""One server of a foreign file: its name made to fit, its address judged, its key where cluster.yaml takes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from pydantic_core import PydanticCustomError

from rbdtui.importers.imported import Hidden, ImportedBastion, ImportedNode, LineError, Notes
from rbdtui.importers.lists.ranges import names_of, places_of
from rbdtui.spec.values import filled_text, host_address, label_key, label_value, local_file, taint
from rbdtui.terminal_text import clean_line
from rbdtui.words import T

_ROOM_FOR_SHOWN: Final = 60
Fit = TypeVar("Fit")
_LOOPBACK_NAME: Final = "localhost"


def node_at(
    notes: Notes, line: int, *, name: str, address: str, internal: str = "", user: str = "",
    port: int | None = None, key: str = "", password: str = "", sudo_password: str = "",
    bastions: tuple[ImportedBastion, ...] = (), roles: tuple[str, ...] = (),
    labels: Sequence[tuple[str, str]] = (), taints: Sequence[str] = (),
) -> ImportedNode | None:  # fmt: skip
    """The server, with its ``internal`` address where that is another; None where it has neither name nor address.

    None also where it stands for this machine. What is amiss is said.
    """
    shown = clean_line(name or address, _ROOM_FOR_SHOWN)
    fitting, original = "", ""
    try:
        fitting, original = next(iter(names_of(name)), ("", ""))
    except LineError as error:
        notes.remark(line, shown, error.why)
    try:
        place = _place(address)
    except LineError as error:
        if not fitting or fitting == _LOOPBACK_NAME or error.why.key == "paste.loopback":
            notes.refuse(line, shown, error.why)
            return None
        notes.remark(line, shown, error.why)
        place = ""
    return ImportedNode(
        name=fitting, renamed_from=original, address=place,
        internal_address=_inside(notes, line, shown, internal, place), user=usable_user(notes, line, shown, user),
        port=port, roles=roles, key=usable_key(notes, line, shown, key), password=hidden(password),
        sudo_password=hidden(sudo_password), bastions=bastions, line=line,
        labels=tuple(pair for pair in labels if _is_fit(_label, pair, notes, line, shown)),
        taints=tuple(text for text in taints if _is_fit(taint, text, notes, line, shown)),
    )  # fmt: skip


def _inside(notes: Notes, line: int, shown: str, internal: str, address: str) -> str:
    """The address in the network of the nodes, where it is one and another."""
    try:
        inside = _place(internal) if internal else ""
    except LineError as error:
        notes.remark(line, shown, error.why)
        return ""
    return inside if inside != address else ""


def _label(pair: tuple[str, str]) -> None:
    label_key(pair[0])
    label_value(pair[1])


def _is_fit(check: Callable[[Fit], object], value: Fit, notes: Notes, line: int, shown: str) -> bool:
    """Whether cluster.yaml takes a label or taint."""
    try:
        check(value)
    except PydanticCustomError:
        notes.remark(line, shown, T("import.no_label"))
        return False
    return True


def _place(address: str) -> str:
    """One IPv4 address; raises `LineError`."""
    if not address:
        raise LineError(T("import.no_address"))
    places = places_of(address)
    if len(places) != 1:
        raise LineError(T("paste.two_addresses"))
    return places[0].address


def bastion_at(
    notes: Notes, line: int, *, address: str, user: str = "", port: int | None = None, key: str = "", password: str = ""
) -> tuple[ImportedBastion, ...]:
    """A host in front of the servers, none where it has no address that can be used."""
    shown = clean_line(address, _ROOM_FOR_SHOWN)
    try:
        host_address(address)
    except PydanticCustomError:
        notes.remark(line, shown, T("import.no_bastion"))
        return ()
    user, key = usable_user(notes, line, shown, user), usable_key(notes, line, shown, key)
    return (ImportedBastion(address, user, port, key, hidden(password)),)


def hidden(value: str) -> Hidden | None:
    """A secret, where there is one."""
    return Hidden(value) if value else None


def usable_key(notes: Notes, line: int, shown: str, key: str) -> str:
    """The path of a private key, where cluster.yaml takes it."""
    try:
        return local_file(key) if key else ""
    except PydanticCustomError:
        notes.remark(line, shown, T("import.no_key_path"))
        return ""


def usable_user(notes: Notes, line: int, shown: str, user: str) -> str:
    """A login, where cluster.yaml takes it."""
    try:
        return filled_text(user) if user else ""
    except PydanticCustomError:
        notes.remark(line, shown, T("import.no_user"))
        return ""
