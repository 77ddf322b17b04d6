"""What a run is made from, kept in its directory so that a later runner finds the same: spec, facts, purpose."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from rbdtui.atomic import sync_directory, write_atomic
from rbdtui.engine.events import FailurePolicy
from rbdtui.errors import SentenceError
from rbdtui.facts.model import NODE_FACTS, NodeFacts
from rbdtui.paths import as_typed
from rbdtui.site import RUN_NUMBER_NAME, Site
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import T, Text

JOURNAL_NAME: Final = "events.jsonl"
RUNNER_LOG_NAME: Final = "runner.log"
_SPEC_NAME: Final = "spec.yaml"
_FACTS_NAME: Final = "facts.json"
_OPTIONS_NAME: Final = "options.json"
_PURPOSE_NAME: Final = "purpose.json"
_GIVEN_UP_NAME: Final = "given-up.json"


class RunInputError(SentenceError):
    """A run directory cannot be made or used; carries a sentence."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is carried out."""

    policy: FailurePolicy = FailurePolicy.ASK
    max_parallel_nodes: int = 50
    """Nodes that are worked on at once; uploads do not count."""
    max_parallel_uploads: int = 2
    """Nodes that are uploaded to at once."""


class PurposeKind(StrEnum):
    """What a run brings about."""

    INSTALL = "install"
    RESET = "reset"
    RECIPE = "recipe"


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a run is for."""

    kind: PurposeKind = PurposeKind.INSTALL
    nodes: tuple[str, ...] = ()
    """Of a reset: the nodes that it is about."""
    whole: bool = False
    """Of a reset: whether no other node of the cluster remains."""
    only_rainbond: bool = False
    """Of a reset: whether the cluster itself stays."""
    only_kubesphere: bool = False
    """The same of KubeSphere."""
    keep_secrets: bool = False
    """Of a reset of Rainbond alone: whether the Secrets stay that go with databases that were kept."""
    recipe: str = ""
    """Name of the recipe that is carried out."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Of a recipe: what the operator chose; never a secret."""

    @property
    def name(self) -> str:
        """What tells one kind of work from another, for programs: ``install``, ``reset``, a recipe's name."""
        return self.recipe or self.kind.value

    @property
    def title(self) -> Text:
        """What is being done, in a few words."""
        if self.kind is PurposeKind.RECIPE:
            return Text(f"recipe.{self.recipe}.title", dict(self.arguments))  # words: recipe.*.title
        return Text(f"purpose.{self._of_three}.title")  # words: purpose.*.title

    @property
    def done(self) -> Text:
        """What holds once it has been done."""
        if self.kind is PurposeKind.RECIPE:
            return Text(f"recipe.{self.recipe}.done", dict(self.arguments))  # words: recipe.*.done
        return Text(f"purpose.{self._of_three}.done")  # words: purpose.*.done

    @property
    def keeps_cluster(self) -> bool:
        """Whether a reset takes back only what runs in the cluster; a run puts it back, whatever is left of it."""
        return self.only_rainbond or self.only_kubesphere

    @property
    def _of_three(self) -> str:
        platform = "_rainbond" if self.only_rainbond else "_kubesphere" if self.only_kubesphere else ""
        return f"{self.kind.value}{platform}"


_OPTIONS: Final = TypeAdapter(RunOptions)
_PURPOSE: Final = TypeAdapter(Purpose)
_FACTS: Final = TypeAdapter(dict[str, object])


@dataclass(frozen=True, slots=True)
class RunInputs:
    """Everything that a run is made from, but for the secrets."""

    site: Site
    run_dir: Path
    spec: ClusterSpec
    spec_sha256: str
    facts: Mapping[str, NodeFacts]
    options: RunOptions
    purpose: Purpose = Purpose()

    @property
    def run_id(self) -> str:
        """Name of the run, the same for every runner that takes it up."""
        return self.run_dir.name


def spec_digest(spec_text: bytes) -> str:
    """What tells one spec from another."""
    return hashlib.sha256(spec_text).hexdigest()


def create_run_dir(
    site: Site,
    spec_text: bytes,
    facts: Mapping[str, NodeFacts],
    options: RunOptions,
    purpose: Purpose = Purpose(),
) -> Path:
    """Make the directory of a new run and put its inputs there; raises `RunInputError`."""
    try:
        site.runs_dir.mkdir(mode=0o700, exist_ok=True)
        sync_directory(site.path)
        number = site.next_run_number()
        run_dir = _new_directory(site)
        sync_directory(site.runs_dir)
        write_atomic(run_dir / RUN_NUMBER_NAME, str(number).encode())
        write_atomic(run_dir / _SPEC_NAME, spec_text)
        facts_json = {name: NODE_FACTS.dump_python(known, mode="json") for name, known in facts.items()}
        write_atomic(run_dir / _FACTS_NAME, json.dumps(facts_json, ensure_ascii=False).encode())
        if purpose != Purpose():
            write_atomic(run_dir / _PURPOSE_NAME, json.dumps(asdict(purpose)).encode())
        write_options(run_dir, options)
    except OSError as error:
        raise RunInputError(T("run_dir.unwritable", path=str(site.runs_dir), reason=error.strerror or "")) from error
    return run_dir


def write_options(run_dir: Path, options: RunOptions) -> None:
    """Say how the next runner of a run shall carry it out; raises `OSError`."""
    write_atomic(run_dir / _OPTIONS_NAME, json.dumps(asdict(options)).encode())


def read_purpose(run_dir: Path) -> Purpose:
    """What a run is for; one that says nothing installs. Raises `OSError` or `ValidationError`."""
    try:
        return _PURPOSE.validate_json((run_dir / _PURPOSE_NAME).read_bytes())
    except FileNotFoundError:
        return Purpose()


def purpose_of(run_dir: Path) -> Purpose | None:
    """What a run is for; None when that cannot be read."""
    try:
        return read_purpose(run_dir)
    except (OSError, ValidationError):
        return None


def is_reset(run_dir: Path) -> bool:
    """Whether a run takes an installation back; one whose purpose cannot be read counts as one, so nobody goes on."""
    purpose = purpose_of(run_dir)
    return purpose is None or purpose.kind is PurposeKind.RESET


def is_recipe(run_dir: Path) -> bool:
    """Whether a run does something to a site that stands; one whose purpose cannot be read does not count as one."""
    purpose = purpose_of(run_dir)
    return purpose is not None and purpose.kind is PurposeKind.RECIPE


def read_inputs(run_dir: Path) -> RunInputs:
    """Read what `create_run_dir` put there; raises `RunInputError`."""
    run_dir = run_dir.resolve()
    try:
        spec_text = (run_dir / _SPEC_NAME).read_bytes()
        facts_json = _FACTS.validate_json((run_dir / _FACTS_NAME).read_bytes())
        facts = {name: NODE_FACTS.validate_python(known) for name, known in facts_json.items()}
        options = _OPTIONS.validate_json((run_dir / _OPTIONS_NAME).read_bytes())
        purpose = read_purpose(run_dir)
    except OSError as error:
        raise _unreadable(run_dir, f"{Path(error.filename or '').name}: {error.strerror}") from error
    except ValidationError as error:
        raise _unreadable(run_dir, error.errors(include_input=False, include_url=False)[0]["msg"]) from error
    spec = parse_spec(spec_text, _SPEC_NAME).spec
    if spec is None:
        raise _unreadable(run_dir, _SPEC_NAME)
    site = Site(run_dir.parent.parent)
    return RunInputs(site, run_dir, spec, spec_digest(spec_text), facts, options, purpose)


def _unreadable(run_dir: Path, reason: str) -> RunInputError:
    site = as_typed(run_dir.parent.parent)
    return RunInputError(T("run_dir.unreadable", path=str(run_dir), reason=reason, site=site))


def kept_spec_sha256(run_dir: Path) -> str:
    """What a run's spec is told by, from its inputs; empty when they cannot be read."""
    try:
        return spec_digest((run_dir / _SPEC_NAME).read_bytes())
    except OSError:
        return ""


def give_up(run_dir: Path, by: str) -> None:
    """Mark a run that was left unfinished so that it is never taken up again; it stays readable.

    A file of its own says so, because the journal may be what is damaged. Raises `RunInputError`.
    """
    try:
        write_atomic(run_dir / _GIVEN_UP_NAME, json.dumps({"by": by, "at": time.time()}).encode())
    except OSError as error:
        raise RunInputError(T("run_dir.unwritable", path=str(run_dir), reason=error.strerror or "")) from error


def is_given_up(run_dir: Path) -> bool:
    """Whether a run was given up."""
    return (run_dir / _GIVEN_UP_NAME).exists()


def _new_directory(site: Site) -> Path:
    """A directory named by the time in UTC: minute, then the millisecond in it as four hexadecimal digits."""
    while True:
        now_ms = time.time_ns() // 1_000_000
        minute = time.strftime("%Y%m%d-%H%M", time.gmtime(now_ms // 1000))
        run_dir = site.run_dir(f"{minute}-{now_ms % 60_000:04x}")
        try:
            run_dir.mkdir(mode=0o700)
        except FileExistsError:
            time.sleep(0.001)
            continue
        return run_dir
