"""Sites seen from outside: what a list of them says, what is wrong with one, and how a new one begins."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from rbdtui.bounded_json import read_json
from rbdtui.engine.client import find_active
from rbdtui.engine.events import RunOutcome
from rbdtui.engine.inputs import JOURNAL_NAME
from rbdtui.paths import as_typed, asset
from rbdtui.profiles import optional_sections, profile_named, proposed
from rbdtui.site import Site, SiteError
from rbdtui.spec.edit import Edit, SetField, UnsetField, apply_edits
from rbdtui.spec.loader import load_spec
from rbdtui.spec.template import fill_example
from rbdtui.words import T, Text

_LAST_LINE_BYTES: Final = 64 * 1024


class Repair(StrEnum):
    """What can be done about a site that cannot be opened."""

    EDIT = "edit"
    """Open cluster.yaml in the operator's editor."""
    BRING_BACK = "bring-back"
    """Put cluster.yaml.bak in its place."""
    BEGIN = "begin"
    """Write a new, empty cluster.yaml."""
    MAKE_PRIVATE = "make-private"
    """Take others' rights to the directory away."""
    FORGET = "forget"
    """Take it out of the list of recent sites."""


@dataclass(frozen=True, slots=True)
class SiteSummary:
    """A site as one line of a list."""

    path: Path
    name: str = ""
    profile: str = ""
    nodes: int = 0
    active_run: str = ""
    """Id of the run under way; empty when there is none."""
    outcome: RunOutcome | None = None
    """How the newest run ended; None when there was none or it did not."""
    runs: int = 0
    problem: Text | None = None
    """Why it cannot be opened."""


def summary_of_site(path: Path) -> SiteSummary:
    """Look at a site without opening it; never raises for what a directory may hold."""
    try:
        site = Site.open(path)
        loaded = load_spec(site.spec_file)
        if loaded.data is None:
            return SiteSummary(path, path.name, problem=T("site.bad_spec", path=str(site.spec_file)))
        data = loaded.data
        nodes = data.get("nodes")
        runs = site.run_ids()
        active = find_active(site)
        return SiteSummary(
            path,
            str(data.get("name") or path.name),
            str(data.get("profile") or ""),
            len(nodes) if isinstance(nodes, list) else 0,
            active.run_id if active is not None else "",
            _outcome(site.run_dir(runs[-1]) / JOURNAL_NAME) if runs else None,
            len(runs),
        )
    except SiteError as error:
        return SiteSummary(path, path.name, problem=error.text)
    except OSError as error:
        return SiteSummary(path, path.name, problem=T("site.absent", path=str(path), reason=error.strerror or ""))


def _outcome(journal: Path) -> RunOutcome | None:
    """How a run ended, from the last line of its journal."""
    try:
        with journal.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _LAST_LINE_BYTES))
            lines = stream.read().splitlines()
        last = read_json(lines[-1]) if lines else {}
        return RunOutcome(last["outcome"]) if last.get("type") == "run-finished" else None
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def repairs_for(path: Path, error: SiteError) -> tuple[Repair, ...]:
    """What can be done about a site that would not open, the most useful first."""
    kind = error.text.key
    spec_file = path / "cluster.yaml"
    backup = (Repair.BRING_BACK,) if spec_file.with_name("cluster.yaml.bak").is_file() else ()
    if kind == "site.readable_by_others":
        return (Repair.MAKE_PRIVATE, Repair.FORGET)
    if kind == "site.bad_spec":
        return (Repair.EDIT, *backup, Repair.FORGET)
    if kind == "site.no_spec":
        return (*backup, *((Repair.BEGIN,) if _may_become_site(path) else ()), Repair.FORGET)
    return (Repair.FORGET,)


def _may_become_site(path: Path) -> bool:
    """Whether this is a directory of ours that is empty, or that nobody else can look into.

    Any other has a purpose of its own: in ``/etc`` a cluster.yaml would cost others their rights to it next.
    """
    try:
        status = path.stat()
        private = not status.st_mode & 0o077
        return status.st_uid == os.geteuid() and (private or not any(path.iterdir()))
    except OSError:
        return False


def repair(path: Path, kind: Repair) -> None:
    """Do what needs no editor and no list; raises `SiteError`."""
    spec_file = path / "cluster.yaml"
    try:
        if kind is Repair.MAKE_PRIVATE:
            if not spec_file.exists():
                raise SiteError(T("site.no_spec", path=as_typed(path)))
            path.chmod(0o700)
        elif kind is Repair.BRING_BACK:
            if spec_file.exists():
                os.replace(spec_file, spec_file.with_name("cluster.yaml.damaged"))
            shutil.copy2(spec_file.with_name("cluster.yaml.bak"), spec_file)
        elif kind is Repair.BEGIN:
            _write_new(Site(path) if any(path.iterdir()) else Site.create(path), path.name, proposed().name)
    except OSError as error:
        raise SiteError(T("site.cannot_create", path=str(path), reason=error.strerror or "")) from error


def make_site(path: Path, *, name: str, profile: str) -> Site:
    """A new site whose servers are still to be entered; raises `SiteError`."""
    site = Site.create(path)
    _write_new(site, name, profile)
    return site


def _write_new(site: Site, name: str, profile: str) -> None:
    """A commented cluster.yaml without servers, addresses that nobody has chosen, and sections without a use."""
    example = asset("examples", "three-node.yaml").read_text(encoding="utf-8")
    text = fill_example(example, site_name=name or site.path.name)
    chosen = profile_named(profile) or proposed()
    unused = [section for section in optional_sections() if section not in chosen.sections]
    edits: Sequence[Edit] = (
        SetField("nodes", []), UnsetField("gateway.vip"), *map(UnsetField, unused), SetField("profile", profile)
    )  # fmt: skip
    site.begin(apply_edits(text, edits))
