"""What is inside a chart, packed or as a directory: its name, its version, its own values; read within bounds.

Its form: helm.sh docs, topics/charts (Chart.yaml, values.yaml, charts/). YAML with anchors is refused: no chart of
Rainbond has any, and a few lines of them can become gigabytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

import yaml

from rbdtui.bundle.tar_members import Stream, TarError, members
from rbdtui.bundle.unpacking import UnpackError, gunzipped
from rbdtui.plain_file import list_plain, open_plain

LARGEST_BYTES: Final = 16 << 20
_LARGEST_YAML_BYTES: Final = 512 << 10
_MOST_FILES: Final = 2000
_DEEPEST: Final = 8
_CHART, _VALUES = "Chart.yaml", "values.yaml"


class ChartError(Exception):
    """It is no chart, or cannot be read as one; says why, raw."""


@dataclass(frozen=True, slots=True)
class ChartContents:
    """What a chart says of itself."""

    name: str
    version: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise ChartError("has YAML with anchors")
        return super().compose_node(parent, index)


def read_packed(file: BinaryIO, size_bytes: int) -> ChartContents:
    """What is in a packed chart (gzip); raises `ChartError` or `OSError`."""
    if size_bytes > LARGEST_BYTES:
        raise ChartError("larger than any chart")
    texts: dict[PurePosixPath, bytes] = {}
    try:
        for member in members(Stream(gunzipped(file, size_bytes))):
            place = PurePosixPath(member.name)
            if member.is_file and _is_read(PurePosixPath(*place.parts[1:])) and member.size_bytes < _LARGEST_YAML_BYTES:
                texts[PurePosixPath(*place.parts[1:])] = member.read(member.size_bytes)
    except (TarError, UnpackError) as error:
        raise ChartError(str(error)) from error
    return _contents(texts)


def read_directory(root: Path, within: Path) -> tuple[ChartContents, int, str]:
    """What is in a chart's directory, the bytes of all its files and the digest over them; raises as `read_packed`."""
    texts: dict[PurePosixPath, bytes] = {}
    digest, size = hashlib.sha256(), 0
    for path in _files(root, within, _DEEPEST):
        with open_plain(path, within) as file:
            content = file.read(LARGEST_BYTES + 1 - size)
        size += len(content)
        if size > LARGEST_BYTES:
            raise ChartError("larger than any chart")
        place = PurePosixPath(path.relative_to(root))
        digest.update(f"{place}\0{len(content)}\0".encode() + content)
        if _is_read(place) and len(content) < _LARGEST_YAML_BYTES:
            texts[place] = content
    return _contents(texts), size, digest.hexdigest()


def _files(directory: Path, within: Path, deepest: int) -> Iterator[Path]:
    if deepest == 0:
        raise ChartError("has directories in directories without an end")
    names = list_plain(directory, within)
    if len(names) > _MOST_FILES:
        raise ChartError("has far too many files")
    for path in (directory / name for name in names):
        if path.is_dir() and not path.is_symlink():
            yield from _files(path, within, deepest - 1)
        else:
            yield path


def _is_read(place: PurePosixPath) -> bool:
    """Whether it is one of the files looked into, of the chart or of one directly within it."""
    below = place.parts[:1] == ("charts",) and len(place.parts) == 3
    return place.name in (_CHART, _VALUES) and (len(place.parts) == 1 or below)


def _contents(texts: Mapping[PurePosixPath, bytes]) -> ChartContents:
    about = _mapping(texts.get(PurePosixPath(_CHART)), _CHART)
    name, version = about.get("name"), about.get("version")
    if not isinstance(name, str) or not isinstance(version, str):
        raise ChartError(f"{_CHART} has no name or no version")
    values = _mapping(texts.get(PurePosixPath(_VALUES), b"{}"), _VALUES)
    for place, text in texts.items():
        if len(place.parts) == 3 and place.name == _VALUES:
            own = values.get(place.parts[1])
            below = _mapping(text, str(place))
            values[place.parts[1]] = {**below, **(own if isinstance(own, Mapping) else {})}
    return ChartContents(name, version, values)


def _mapping(text: bytes | None, place: str) -> dict[str, Any]:
    if text is None:
        raise ChartError(f"has no {place}")
    try:
        loaded = yaml.load(text, _Loader)  # noqa: S506 - a safe loader, which refuses even more
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ChartError(f"{place}: {str(error)[:200]}") from error
    if not isinstance(loaded, dict):
        raise ChartError(f"{place} is no mapping")
    return loaded
