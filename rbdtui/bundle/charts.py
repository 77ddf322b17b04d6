"""What is inside a chart, packed or as a directory: name, version, own values, definitions; read within bounds.

Its form: helm.sh docs, topics/charts (Chart.yaml, values.yaml, charts/, crds/). YAML with anchors is refused: no chart
of Rainbond has any, and a few lines of them can become gigabytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

import yaml

from rbdtui.bundle.tar_members import Stream, TarError, members
from rbdtui.bundle.unpacking import UnpackError, gunzipped
from rbdtui.plain_file import list_plain, open_plain
from rbdtui.rainbond.values import merged

LARGEST_BYTES: Final = 16 << 20
_LARGEST_YAML_BYTES: Final = 512 << 10
_MOST_FILES: Final = 2000
_DEEPEST: Final = 8
_DEFINITION: Final = "CustomResourceDefinition"
_CHART, _VALUES = "Chart.yaml", "values.yaml"


_Texts = dict[PurePosixPath, bytes]


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
    return _contents(_packed_texts(file, size_bytes, _is_read))


def _packed_texts(file: BinaryIO, size_bytes: int, wanted: Callable[[PurePosixPath], bool]) -> _Texts:
    if size_bytes > LARGEST_BYTES:
        raise ChartError("larger than any chart")
    texts: _Texts = {}
    try:
        for member in members(Stream(gunzipped(file, size_bytes))):
            place = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if member.is_file and wanted(place) and member.size_bytes < _LARGEST_YAML_BYTES:
                texts[place] = member.read(member.size_bytes)
    except (TarError, UnpackError) as error:
        raise ChartError(str(error)) from error
    return texts


def read_directory(root: Path, within: Path) -> tuple[ChartContents, int, str]:
    """What is in a chart's directory, the bytes of all its files and the digest over them; raises as `read_packed`."""
    texts, size, digest = _directory_texts(root, within, _is_read)
    return _contents(texts), size, digest


def _directory_texts(root: Path, within: Path, wanted: Callable[[PurePosixPath], bool]) -> tuple[_Texts, int, str]:
    texts: _Texts = {}
    digest, size = hashlib.sha256(), 0
    for path in _files(root, within, _DEEPEST):
        with open_plain(path, within) as file:
            content = file.read(LARGEST_BYTES + 1 - size)
        size += len(content)
        if size > LARGEST_BYTES:
            raise ChartError("larger than any chart")
        place = PurePosixPath(path.relative_to(root))
        digest.update(f"{place}\0{len(content)}\0".encode() + content)
        if wanted(place) and len(content) < _LARGEST_YAML_BYTES:
            texts[place] = content
    return texts, size, digest.hexdigest()


def read_definitions(path: Path, within: Path, size_bytes: int) -> list[dict[str, Any]]:
    """The custom resource definitions of a chart, packed or a directory, in the order of their files.

    Takes a second or two. Raises `ChartError` or `OSError`.
    """
    if path.is_dir():
        texts, _, _ = _directory_texts(path, within, _is_definition)
    else:
        with open_plain(path, within) as file:
            texts = _packed_texts(file, size_bytes, _is_definition)
    return [found for place in sorted(texts) for found in _definitions(texts[place], str(place))]


def _definitions(text: bytes, place: str) -> Iterator[dict[str, Any]]:
    for found in _documents(text, place):
        if isinstance(found, dict) and found.get("kind") == _DEFINITION:
            about, spec = found.get("metadata"), found.get("spec")
            if not isinstance(about, dict) or not isinstance(about.get("name"), str) or not isinstance(spec, dict):
                raise ChartError(f"{place} has a definition without a name or a spec")
            yield found


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


def _is_definition(place: PurePosixPath) -> bool:
    """Whether helm takes it for one, of the chart itself."""
    return place.parts[:1] == ("crds",) and place.suffix in (".yaml", ".yml")


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
            values[place.parts[1]] = merged(below, own) if isinstance(own, Mapping) else below
    return ChartContents(name, version, values)


def _mapping(text: bytes | None, place: str) -> dict[str, Any]:
    if text is None:
        raise ChartError(f"has no {place}")
    loaded = next(iter(_documents(text, place)), None)
    if not isinstance(loaded, dict):
        raise ChartError(f"{place} is no mapping")
    return loaded


def _documents(text: bytes, place: str) -> list[Any]:
    try:
        return list(yaml.load_all(text, _Loader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ChartError(f"{place}: {str(error)[:200]}") from error
