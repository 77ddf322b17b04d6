"""Sites with runs in them, and what a browser would make of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path

from rbdtui.engine.events import Event, RunFinished, RunnerStarted, RunOutcome
from rbdtui.report.build import Asked, build_report
from rbdtui.report.model import Report
from rbdtui.session import Session
from rbdtui.site import Site
from rbdtui.words import T
from tests.screens.journals import Story, spec_text, write_run

VOID = frozenset({"meta", "br"})
LOADS = frozenset({"script", "link", "img", "iframe", "object", "embed", "image", "use", "form", "base"})


class NoPassphrase:
    """Nobody is there to be asked."""

    def existing(self) -> str:
        raise AssertionError("asked for the passphrase")

    new = existing


def site_with(directory: Path, *events: tuple[float, Event], nodes: int = 3, story: Story | None = None) -> Site:
    """A site of which one run is known, with further events."""
    site = Site.create(directory)
    (site.path / "bundle").mkdir()
    site.begin(spec_text(nodes))
    write_run(site, (story or Story(nodes=nodes, extra=events)).records())
    return site


def report_of(site: Site, **asked: object) -> Report:
    """Its report, without asking anybody."""
    why = T("report.health.not_asked") if "health" not in asked else None
    return build_report(Session.open(site.path, NoPassphrase()), Asked(why, **asked), now=1_772_470_000.0)  # type: ignore[arg-type]


def again(at: float) -> Sequence[tuple[float, Event]]:
    """A runner died unseen, and another took the run up."""
    return ((at, RunnerStarted(4712, "jump", "ops", "", Story().records()[1].event.policy)),)  # type: ignore[attr-defined]


def failed_end(at: float) -> tuple[float, Event]:
    """The run ends here."""
    return at, RunFinished(RunOutcome.FAILED, 3, at)


class Page(HTMLParser):
    """A page as a browser reads it: whether every element is closed, what would be loaded or run, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()
        self.wrong += self.open

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Loading, running, or left open."""
        names: Mapping[str, str | None] = dict(attrs)
        self.tags.append(tag)
        if tag in LOADS or any(name.startswith("on") or name in ("src", "href", "xlink:href") for name in names):
            self.wrong.append(f"{tag} {names}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """The innermost, or it is wrong."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        """Words."""
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that is read."""
        return " ".join(" ".join(self.words).split())
