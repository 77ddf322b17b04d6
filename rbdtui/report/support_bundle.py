"""One file for whoever helps: what is in the site and what servers told, masked, with a page that says what is there.

Layout, below one directory named after the site and the time: ``index.html``, ``site/``, ``runs/ID/``,
``nodes/NAME/PART.txt``, ``cluster/``, ``findings.json``, ``health.json``, ``report.html``.
"""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from rbdtui.atomic import sync_directory
from rbdtui.engine.inputs import JOURNAL_NAME, RUNNER_LOG_NAME
from rbdtui.report.collecting import Collected, Collector
from rbdtui.report.markup import Html, tag
from rbdtui.report.page import page
from rbdtui.report.phrases import bytes_words, day_and_time
from rbdtui.site import Site
from rbdtui.words import T, Text

MOST_RUNS: Final = 5
FILE_BYTES: Final = 4 << 20
"""Of one file of the site; of longer ones the end is kept."""
RUN_BYTES: Final = 40 << 20
"""Of all logs of one run."""
_LEFT_OUT: Final = ("secrets.enc", "kubeconfig", "demo-key", "known_hosts", "draft*", "snapshots")
"""Files of the site that are never in it."""


def collect_site(collector: Collector, site: Site) -> None:
    """What the site itself has: cluster.yaml, the newest runs with their logs, facts, health's history, drills."""
    _file(collector, site.spec_file, "site/cluster.yaml")
    for directory, ending in (("facts", "json"), ("drills", "json"), ("health", "*")):
        for file in sorted((site.path / directory).glob(f"*.{ending}")):
            if file.is_file():
                _file(collector, file, f"site/{directory}/{file.name}")
    _file(collector, site.path / "bundle-hashes.json", "site/bundle-hashes.json")
    for run_id in site.run_ids()[-MOST_RUNS:]:
        _run(collector, site.run_dir(run_id), f"runs/{run_id}")


def _run(collector: Collector, run_dir: Path, place: str) -> None:
    for name in (JOURNAL_NAME, "spec.yaml", "options.json", RUNNER_LOG_NAME):
        _file(collector, run_dir / name, f"{place}/{name}")
    room = RUN_BYTES
    for log in sorted((run_dir / "logs").glob("*.log"), key=lambda log: -log.stat().st_mtime):
        if room <= 0:
            collector.miss(f"{place}/logs/{log.name}", f"more than {RUN_BYTES >> 20} MiB of logs")
            continue
        room -= _file(collector, log, f"{place}/logs/{log.name}")


def _file(collector: Collector, path: Path, place: str) -> int:
    """Keep a file of the site, of a long one the end; how many bytes it has."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - FILE_BYTES))
            content = stream.read(FILE_BYTES)
    except FileNotFoundError:
        return 0
    except OSError as error:
        collector.miss(place, error.strerror or error)
        return 0
    if size > FILE_BYTES:
        collector.miss(f"{place} …", f"the first {size - FILE_BYTES} of {size} bytes")
        content = content.partition(b"\n")[2]
    collector.keep(place, content.decode("utf-8", "replace"))
    return len(content)


def write_bundle(file: Path, top: str, collected: Collected, *, now: float, known_secrets: bool) -> None:
    """Write the archive, readable by the operator alone, as a whole or not at all; raises `OSError`."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with open(descriptor, "wb") as stream:
            with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=6) as archive:
                index = _index(top, collected, now=now, known_secrets=known_secrets)
                for name, text in (("index.html", index), *sorted(collected.files.items())):
                    data = text.encode("utf-8", "replace")
                    member = tarfile.TarInfo(f"{top}/{name}")
                    member.size, member.mtime, member.mode = len(data), int(now), 0o600
                    archive.addfile(member, io.BytesIO(data))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            error.filename = str(file)
        raise
    sync_directory(file.parent)


def top_name(site: Site, now: float) -> str:
    """The directory in the archive, and the archive's own name."""
    safe = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "-" for letter in site.path.name
    )
    return f"rbdtui-support-{safe.strip('.-') or 'site'}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}"


def _index(top: str, collected: Collected, *, now: float, known_secrets: bool) -> str:
    masked = T("support.masked_known") if known_secrets else T("support.masked_forms")
    left_out = ", ".join(_LEFT_OUT)
    sections = [
        tag(
            "header",
            tag("p", T("support.title"), class_="kicker"),
            tag("h1", top),
            tag("p", _written(now), class_="soft"),
        ),
        tag("h2", T("support.left_out")),
        tag(
            "ul", tag("li", masked), tag("li", T("support.never", files=left_out)), tag("li", T("support.never_asked"))
        ),
        *_missing(collected),
        tag("h2", T("support.contents")),
        *_contents(collected),
    ]
    return page(T("support.title"), *sections)


def _written(now: float) -> Text:
    from rbdtui import __version__

    return T("report.made", when=day_and_time(now), version=__version__)


def _missing(collected: Collected) -> Iterator[Html]:
    yield tag("h3", T("support.missing"))
    if not collected.missing:
        yield tag("p", T("support.nothing_missing"))
        return
    rows = (tag("tr", tag("td", tag("code", path)), tag("td", why)) for path, why in sorted(collected.missing.items()))
    yield tag("div", tag("table", tag("tbody", rows)), class_="scroll")


def _contents(collected: Collected) -> Iterator[Html]:
    by_place: dict[str, list[str]] = {}
    for path in sorted(collected.files):
        by_place.setdefault(path.rpartition("/")[0] or ".", []).append(path)
    for place, paths in by_place.items():
        yield tag("h3", place)
        rows = (
            tag(
                "tr",
                tag("td", tag("a", path.rpartition("/")[2], href=path)),
                tag("td", bytes_words(len(collected.files[path].encode("utf-8", "replace"))), class_="number"),
            )
            for path in paths
        )
        yield tag("div", tag("table", tag("tbody", rows)), class_="scroll")
