"""The draft of cluster.yaml while it is being edited: plain values that may be wrong, judged after every change.

The draft is kept in the site directory within a second of a change, so that a crash of the screen loses nothing;
cluster.yaml itself changes only when the operator saves.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from rbdtui.atomic import write_atomic
from rbdtui.bounded_json import read_json
from rbdtui.findings import Finding
from rbdtui.site import Site
from rbdtui.spec.edit import apply_edits, save, unified_diff
from rbdtui.spec.loader import LoadedSpec, load_spec, parse_spec, parse_values
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.references import LocalFile, judge_local, local_files, look_at_local
from rbdtui.spec.rules import check_rules
from rbdtui.workbench.draft.merging import merge
from rbdtui.workbench.draft.saving import edits_between, same_values

DRAFT_NAME: Final = "draft.json"
UNDO_DEPTH: Final = 100

Data = dict[str, Any]
"""cluster.yaml as plain values."""


@dataclass(slots=True)
class Draft:
    """One plan in the making."""

    site: Site
    saved_text: str
    """cluster.yaml as it was when it was read."""
    data: Data
    recovered: bool = False
    """Whether it was found from an earlier, unsaved session."""
    file: Path | None = None
    """Where it is kept; None: in the site's first draft file."""
    loaded: LoadedSpec = field(init=False)
    local: Mapping[LocalFile, Sequence[Finding]] = field(init=False, repr=False, default_factory=dict)
    """What is wrong with files of this machine as far as somebody has looked; replaced as a whole, from any thread."""
    _ruled: list[Finding] = field(init=False, repr=False)
    """What is wrong by shape and rules."""
    _saved: Data = field(init=False, repr=False)
    _undo: list[Data] = field(init=False, repr=False, default_factory=list)
    _redo: list[Data] = field(init=False, repr=False, default_factory=list)
    """What was taken back and can be had again, the next one last."""
    _merged: str = field(init=False, repr=False, default="")
    """What the last change belongs to."""
    aside: Data = field(init=False, repr=False, default_factory=dict)
    """What the profile or distribution has no use for, by path, until one is chosen that has (`switching`)."""
    keep_error: str = field(init=False, default="")
    """Why the draft could not be put on the disk; empty when it could."""
    _version: int = field(init=False, repr=False, default=0)
    _kept_version: int = field(init=False, repr=False, default=1)

    def __post_init__(self) -> None:
        self._saved = copy.deepcopy(self.data)
        self._judge()
        self.local = {file: look_at_local(file, self.site.path) for file in self.local_files}

    @classmethod
    def open(cls, site: Site, file: Path | None = None, loaded: LoadedSpec | None = None) -> Draft | None:
        """The draft of a site, with unsaved work of an earlier session; None when cluster.yaml is no YAML mapping.

        When cluster.yaml has become another since, that work stands on top of it. ``loaded`` is that file where it
        has been read already.
        """
        draft = cls.of(site, loaded if loaded is not None else load_spec(site.spec_file))
        if draft is None:
            return None
        draft.file = file
        left, draft.aside = _read_draft(draft._file, draft.saved_text, draft.data)
        if left is not None and not same_values(left, draft.data):
            draft.data, draft.recovered = copy.deepcopy(left), True
            draft._judge()
        elif not draft.aside and draft._file.exists():
            draft._version += 1  # it says nothing that cluster.yaml does not say: to be taken away
        return draft

    @classmethod
    def of(cls, site: Site, loaded: LoadedSpec) -> Draft | None:
        """The draft that a file begins; None when it is no YAML mapping."""
        return cls(site, loaded.text, _plain(loaded.data)) if loaded.data is not None else None

    @property
    def _file(self) -> Path:
        return self.file or self.site.path / DRAFT_NAME

    @property
    def spec(self) -> ClusterSpec | None:
        """The plan, when it has a shape that can be used."""
        return self.loaded.spec

    @property
    def dirty(self) -> bool:
        """Whether there is something that cluster.yaml does not have."""
        return not same_values(self.data, self._saved)

    @property
    def fingerprint(self) -> str:
        """What is the same for the same plan; to accept a warning does not change it."""
        plan = {key: value for key, value in self.data.items() if key != "acknowledged"}
        return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is a change that was taken back and can be had again."""
        return bool(self._redo)

    @property
    def version(self) -> int:
        """Another number after every change."""
        return self._version

    @property
    def local_files(self) -> Collection[LocalFile]:
        """What the plan names on this machine."""
        return local_files(self.loaded.spec).keys() if self.loaded.spec is not None else ()

    @property
    def findings(self) -> list[Finding]:
        """What is wrong by shape and rules, and with files of this machine as they were last seen."""
        loaded = self.loaded
        return [*self._ruled, *(judge_local(loaded.spec, self.local, loaded.place) if loaded.spec is not None else ())]

    def change(self, operation: Callable[[Data], None], *, merge: str = "") -> None:
        """Apply one change and judge the result; what was before can be brought back by `undo`.

        Changes in a row with the same ``merge``, as of a word that is being typed, are undone together.
        """
        before = _copied(self.data)
        try:
            operation(self.data)
        except Exception:
            self.data = before
            raise
        if same_values(self.data, before):
            return
        if not merge or merge != self._merged:
            self._undo = [*self._undo, before][-UNDO_DEPTH:]
        self._redo.clear()
        self._merged = merge
        if merge and same_values(self._undo[-1], self.data):
            self._undo.pop()
            self._merged = ""
        self._judge()

    def undo(self, *, for_good: bool = False) -> bool:
        """Take the last change back; False when there is none. One taken back ``for_good`` cannot be had again."""
        if not self._undo:
            return False
        if not for_good:
            self._redo.append(self.data)
        self.data = self._undo.pop()
        self._merged = ""
        self._judge()
        return True

    def redo(self) -> bool:
        """Make the change again that was taken back last; False when there is none, or another was made since."""
        if not self._redo:
            return False
        self._undo = [*self._undo, self.data][-UNDO_DEPTH:]
        self.data = self._redo.pop()
        self._merged = ""
        self._judge()
        return True

    def findings_at(self, *fields: str) -> list[Finding]:
        """What is wrong at these fields or below them."""
        return [f for f in self.findings if any(_is_under(f.place.field, wanted) for wanted in fields)]

    def save(self) -> str:
        """Write the changes into cluster.yaml, keeping its comments and a .bak; the diff. Raises `EditError`."""
        text = apply_edits(self.saved_text, edits_between(self._saved, self.data))
        diff = save(self.site.spec_file, text, loaded=self.saved_text)
        self.saved_text, self._saved, self.recovered = text, copy.deepcopy(self.data), False
        self._version += 1
        if (content := self.to_keep()) is not None:
            self.write_kept(content)
        return diff

    def preview_save(self) -> str:
        """The diff that `save` would make; raises `EditError`."""
        return unified_diff(self.saved_text, apply_edits(self.saved_text, edits_between(self._saved, self.data)))

    def discard(self) -> None:
        """Go back to what cluster.yaml says; `undo` brings the draft back."""
        self.change(self._become_saved)
        self.recovered = False

    def take_up(self, loaded: LoadedSpec) -> tuple[str, ...]:
        """Go on from cluster.yaml as it has become elsewhere, with this draft's changes on top of it.

        Returns the fields that both changed, where the draft counts; `undo` brings back what was.
        """
        theirs = _plain(loaded.data or {})
        merged = merge(self._saved, self.data, theirs)
        self._go_on_from(loaded.text, theirs, merged.data)
        return merged.contested

    def start_over(self, loaded: LoadedSpec) -> None:
        """Go on from cluster.yaml as it is on the disk now, in place of this draft; `undo` brings that back."""
        theirs = _plain(loaded.data or {})
        self._go_on_from(loaded.text, theirs, theirs)
        self.recovered = False

    def _go_on_from(self, text: str, saved: Data, data: Data) -> None:
        """What is saved and what is edited never share a part: a change in place would be one of both, and lost."""
        if not same_values(data, self.data):
            self._undo = [*self._undo, self.data][-UNDO_DEPTH:]
        self._redo.clear()
        self.saved_text, self._saved, self.data, self._merged = text, saved, copy.deepcopy(data), ""
        self._judge()

    def _become_saved(self, data: Data) -> None:
        data.clear()
        data.update(copy.deepcopy(self._saved))

    def to_keep(self) -> bytes | None:
        """What is to stand in the site directory's draft file, empty for no file; None when it stands there."""
        if self._kept_version == self._version:
            return None
        self._kept_version = self._version
        if not self.dirty and not self.aside:
            return b""
        kept = {"text": self.saved_text, "data": self.data, "aside": self.aside}
        return json.dumps(kept, ensure_ascii=False).encode()

    def write_kept(self, content: bytes) -> None:
        """Put what `to_keep` gave on the disk, from any thread; `keep_error` tells when that failed."""
        file = self._file
        try:
            if content:
                write_atomic(file, content)
            else:
                file.unlink(missing_ok=True)
        except OSError as error:
            self.keep_error, self._kept_version = error.strerror or str(error), -1
        else:
            self.keep_error = ""

    def _judge(self) -> None:
        self._version += 1
        self.loaded = parse_values(self.data)
        self._ruled = list(self.loaded.findings)
        if self.loaded.spec is not None:
            self._ruled += check_rules(self.loaded.spec, self.loaded.place)


def _copied(data: Data) -> Data:
    """As `copy.deepcopy`, for values that are plain: containers anew, what is in them as it is."""

    def copied(value: object) -> object:
        if isinstance(value, dict):
            return {key: copied(below) for key, below in value.items()}
        return [copied(below) for below in value] if isinstance(value, list) else value

    return cast(Data, copied(data))


def _plain(data: Mapping[str, object]) -> Data:
    """The same values in containers of our own."""
    return cast(Data, json.loads(json.dumps(data, default=str)))


def _read_draft(file: Path, text: str, data: Data) -> tuple[Data | None, Data]:
    """Unsaved work, on top of what cluster.yaml says now, and what was laid aside."""
    try:
        content = read_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None, {}
    if not isinstance(content, dict) or not isinstance(content.get("data"), dict):
        return None, {}
    left, begun_from, aside = cast(Data, content["data"]), content.get("text"), content.get("aside")
    kept = cast(Data, aside) if isinstance(aside, dict) else {}
    if begun_from == text:
        return left, kept
    base = parse_spec(begun_from).data if isinstance(begun_from, str) else None
    return (merge(_plain(base), left, data).data if base is not None else None), kept


def _is_under(path: str, wanted: str) -> bool:
    return path == wanted or path.startswith((f"{wanted}.", f"{wanted}["))
