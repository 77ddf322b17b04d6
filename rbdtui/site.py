"""The site directory: one per cluster, mode 0700, with everything that is known and decided about it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rbdtui.atomic import write_atomic
from rbdtui.bounded_json import read_json
from rbdtui.errors import SentenceError
from rbdtui.paths import as_typed
from rbdtui.plain_file import open_plain
from rbdtui.site_contents import ForeignThingError, check_contents
from rbdtui.words import T

RUN_NUMBER_NAME: Final = "number"
"""The file in a run's directory with its place among the runs of the site."""
_MARK_LIMIT_BYTES: Final = 64 * 1024


class SiteError(SentenceError):
    """The site directory cannot be used; carries a sentence and, as code, the exit status of wrong use."""


SPEC_NAME: Final = "cluster.yaml"


@dataclass(frozen=True, slots=True)
class Site:
    """A site directory and the places in it."""

    path: Path

    @property
    def spec_file(self) -> Path:
        """What the operator wants."""
        return self.path / SPEC_NAME

    @property
    def vault_file(self) -> Path:
        """Encrypted secrets."""
        return self.path / "secrets.enc"

    @property
    def known_hosts_file(self) -> Path:
        """Pinned host keys."""
        return self.path / "known_hosts"

    @property
    def facts_dir(self) -> Path:
        """What the hosts last answered, one JSON file per node."""
        return self.path / "facts"

    @property
    def health_dir(self) -> Path:
        """What is remembered of the cluster's health."""
        return self.path / "health"

    @property
    def demo_key_file(self) -> Path:
        """The key of the demo's simulated servers; a site that has it ends with the demo."""
        return self.path / "demo-key"

    @property
    def simulation_file(self) -> Path:
        """In the site of a demo only: which simulated servers there are."""
        return self.path / "simulated.json"

    @property
    def simulated_servers(self) -> frozenset[tuple[str, int]] | None:
        """Address and port of each simulated server of a demo's site; None for a site of real servers.

        Of a site whose mark cannot be read no server is reached: it is no real one.
        """
        try:
            with open_plain(self.simulation_file) as file:
                listed = read_json(file.read(_MARK_LIMIT_BYTES))
            return frozenset((str(address), int(port)) for address, port in listed["servers"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, LookupError):
            return frozenset()

    def mark_simulated(self, servers: Iterable[tuple[str, int]]) -> None:
        """Have every front end say that the servers are simulated, and reach no others; raises `OSError`."""
        write_atomic(self.simulation_file, json.dumps({"servers": sorted(servers)}).encode())

    @property
    def runs_dir(self) -> Path:
        """One directory per run."""
        return self.path / "runs"

    @property
    def kubeconfig_file(self) -> Path:
        """The operator's kubeconfig, written by the final proof."""
        return self.path / "kubeconfig"

    @property
    def bundle_hashes_file(self) -> Path:
        """What is remembered of the bundle's files, so that none is read twice."""
        return self.path / "bundle-hashes.json"

    def run_dir(self, run_id: str) -> Path:
        """The directory of one run."""
        return self.runs_dir / run_id

    def run_ids(self) -> list[str]:
        """Runs of this site in the order in which they were made, whatever the clock said then."""
        if not self.runs_dir.is_dir():
            return []
        entries = [entry for entry in self.runs_dir.iterdir() if (entry / "events.jsonl").exists()]
        return [entry.name for entry in sorted(entries, key=lambda entry: (_number_of(entry), entry.name))]

    def next_run_number(self) -> int:
        """The place of a run that is about to be made among all of this site; raises `OSError`."""
        return 1 + max(map(_number_of, self.runs_dir.iterdir()), default=0)

    @classmethod
    def create(cls, path: Path) -> Site:
        """Make an empty site directory; raises `SiteError` when the place is taken or cannot be written."""
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise SiteError(T("site.not_empty", path=as_typed(path)))
            path.chmod(0o700)
        except OSError as error:
            raise SiteError(T("site.cannot_create", path=as_typed(path), reason=error.strerror or "")) from error
        return cls(path.resolve())

    def begin(self, spec_text: str) -> None:
        """Write the first cluster.yaml, as a whole or not at all; raises `SiteError`."""
        try:
            write_atomic(self.spec_file, spec_text.encode())
        except OSError as error:
            reason = error.strerror or ""
            raise SiteError(T("site.cannot_create", path=as_typed(self.path), reason=reason)) from error

    @classmethod
    def open(cls, path: Path) -> Site:
        """Use an existing site directory.

        Raises `SiteError` when it is none, others could read it, or what is in it leads out of it. Only a directory
        that holds a cluster.yaml and belongs to the user is ever to be made private: that advice would ruin others.
        """
        try:
            status = path.stat()
        except OSError as error:
            raise SiteError(T("site.absent", path=as_typed(path), reason=error.strerror or "")) from error
        if not stat.S_ISDIR(status.st_mode):
            raise SiteError(T("site.not_a_directory", path=as_typed(path)))
        site = cls(path.resolve())
        place = as_typed(site.path)
        try:
            site.spec_file.stat()
        except FileNotFoundError:
            raise SiteError(T("site.no_spec", path=place)) from None
        except OSError as error:
            raise SiteError(T("site.absent", path=place, reason=error.strerror or "")) from error
        if status.st_uid != os.geteuid():
            raise SiteError(T("site.not_ours", path=place, owner=status.st_uid))
        if status.st_mode & 0o077:
            raise SiteError(T("site.readable_by_others", path=place, mode=f"{stat.S_IMODE(status.st_mode):04o}"))
        try:
            check_contents(site.path)
        except ForeignThingError as error:
            raise SiteError(error.text) from error
        except OSError as error:
            reason = error.strerror or ""
            raise SiteError(T("site.unreadable", path=str(error.filename or site.path), reason=reason)) from error
        return site


def _number_of(run_dir: Path) -> int:
    """A run's place; 0 for one of a version that kept none, which are older than all others."""
    try:
        return int((run_dir / RUN_NUMBER_NAME).read_bytes()[:20])
    except (OSError, ValueError):
        return 0
