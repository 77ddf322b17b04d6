"""A bundle with something missing or wrong, as the command line tells of it: which file, what, and what to do."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from jsonschema import Draft202012Validator

from rbdtui.cli.output import Exit
from rbdtui.paths import asset
from rbdtui.simulator.bundle import write_bundle
from rbdtui.words import LANGUAGES
from tests.cli import console
from tests.spec.samples import changed

PROGRAM = "rke2.linux-amd64.tar.gz"
IMAGES = "rke2-images.linux-amd64.tar.gz"
SUMS = "sha256sum-amd64.txt"


def list_digests(bundle: Path) -> None:
    """Make the bundle's list agree with its files, so that only what is inside them is wrong."""
    lines = (f"{hashlib.sha256((bundle / name).read_bytes()).hexdigest()}  {name}\n" for name in (PROGRAM, IMAGES))
    (bundle / SUMS).write_text("".join(lines))


def cut(bundle: Path, name: str) -> None:
    content = (bundle / name).read_bytes()
    (bundle / name).write_bytes(content[: len(content) // 2])


def cut_and_listed(bundle: Path) -> None:
    cut(bundle, PROGRAM)
    list_digests(bundle)


def of_another_architecture(bundle: Path) -> None:
    other = write_bundle(bundle.with_name("arm"), arch="arm64", images_bytes=4096)
    (bundle / PROGRAM).write_bytes((other / "rke2.linux-arm64.tar.gz").read_bytes())
    list_digests(bundle)


def flip_a_bit(bundle: Path) -> None:
    content = bytearray((bundle / IMAGES).read_bytes())
    content[9] ^= 1  # the operating system in gzip's head: nothing but the digest tells
    (bundle / IMAGES).write_bytes(content)


def packed_otherwise(bundle: Path) -> None:
    (bundle / IMAGES).rename(bundle / "rke2-images.linux-amd64.tar.zst")


def instead(file: Path, make: Callable[[Path], object]) -> None:
    file.unlink()
    make(file)


def linked(file: Path) -> None:
    file.symlink_to("/dev/zero")


class Case(NamedTuple):
    """What is done to a good bundle, and what is told of it."""

    spoil: Callable[[Path], object]
    code: str
    pieces: tuple[str, ...]


CASES = {
    "no program": Case(lambda bundle: (bundle / PROGRAM).unlink(), "RBD-BUNDLE-001", (PROGRAM,)),
    "no images": Case(lambda bundle: (bundle / IMAGES).unlink(), "RBD-BUNDLE-001", (IMAGES,)),
    "program cut off": Case(lambda bundle: cut(bundle, PROGRAM), "RBD-BUNDLE-003", (PROGRAM,)),
    "cut off before it was listed": Case(cut_and_listed, "RBD-BUNDLE-003", (PROGRAM,)),
    "images cut off": Case(lambda bundle: cut(bundle, IMAGES), "RBD-BUNDLE-003", (IMAGES,)),
    "empty file": Case(lambda bundle: (bundle / PROGRAM).write_bytes(b""), "RBD-BUNDLE-003", (PROGRAM,)),
    "no archive": Case(lambda bundle: (bundle / PROGRAM).write_text("<html>404"), "RBD-BUNDLE-003", (PROGRAM,)),
    "wrong architecture": Case(of_another_architecture, "RBD-BUNDLE-004", (PROGRAM, "arm64", "amd64")),
    "packed otherwise": Case(packed_otherwise, "RBD-BUNDLE-005", ("rke2-images.linux-amd64.tar.zst",)),
    "another digest": Case(flip_a_bit, "RBD-BUNDLE-006", (IMAGES,)),
    "a link": Case(lambda bundle: instead(bundle / IMAGES, linked), "RBD-BUNDLE-011", (IMAGES,)),
    "a pipe": Case(lambda bundle: instead(bundle / PROGRAM, os.mkfifo), "RBD-BUNDLE-011", (PROGRAM,)),
    "a list that is a pipe": Case(lambda bundle: instead(bundle / SUMS, os.mkfifo), "RBD-BUNDLE-012", (SUMS,)),
    "nothing listed": Case(lambda bundle: (bundle / SUMS).unlink(), "RBD-BUNDLE-007", (PROGRAM,)),
}  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with a good small bundle."""
    path = tmp_path / "site"
    path.mkdir(mode=0o700)
    bundle = write_bundle(tmp_path / "bundle", images_bytes=4096)
    (path / "cluster.yaml").write_text(changed(("/data/offline-packages", str(bundle))))
    return path


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_good_bundle_is_good(site: Path, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = console.say(capsys, language, "bundle", "verify", site, "--ascii").check(Exit.GOOD)
    assert {block.split()[2] for block in said.findings()} == {"RBD-BUNDLE-008"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", CASES)
def test_a_bad_file_is_named(site: Path, language: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    case, bundle = CASES[name], site.with_name("bundle")
    case.spoil(bundle)
    before = console.contents(bundle)
    status = Exit.GOOD if case.code == "RBD-BUNDLE-007" else Exit.FINDINGS
    said = console.say(capsys, language, "bundle", "verify", site, "--ascii").check(status)
    told = [block for block in said.findings() if block.split()[2] == case.code and case.pieces[0] in block]
    assert len(told) == 1, said.words
    assert [piece for piece in case.pieces if piece not in told[0]] == []
    assert console.contents(bundle) == before


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", ["check", "plan", "run --yes", "bundle verify"])
@pytest.mark.parametrize("kind", ["absent", "a file"])
def test_a_place_that_is_no_bundle_is_named(
    site: Path, language: str, kind: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = site.with_name(kind)
    if kind == "a file":
        place.write_text("")
    spec = site / "cluster.yaml"
    spec.write_text(spec.read_text().replace(str(site.with_name("bundle")), str(place)).replace("  sudo_pass", "  #"))
    before = console.contents(site)
    only = ["--only", "rules"] if command == "check" else []
    said = console.say(capsys, language, *command.split(), site, *only, "--ascii")
    said.check(Exit.FINDINGS)
    assert str(place) in said.words
    assert "cluster.yaml:4:9" in said.words
    assert "Errno" not in said.words
    assert console.contents(site) == before


@pytest.mark.parametrize("spoil", ["absent", "a file", "bad cluster.yaml"])
def test_what_cannot_be_verified_is_told_in_the_published_form_too(
    site: Path, spoil: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, bundle = site / "cluster.yaml", site.with_name("bundle")
    shutil.rmtree(bundle)
    if spoil == "a file":
        bundle.write_text("")
    if spoil == "bad cluster.yaml":
        spec.write_text(spec.read_text() + "weather: fine\n")
    said = console.say(capsys, "en", "bundle", "verify", site, "--json").check(Exit.FINDINGS)
    found = json.loads(said.out)
    Draft202012Validator(json.loads(asset("schemas", "check.schema.json").read_text())).validate(found)
    code = {"absent": "RBD-LOCAL-005", "a file": "RBD-LOCAL-006", "bad cluster.yaml": "RBD-SPEC-001"}[spoil]
    assert [finding["code"] for finding in found["findings"]] == [code]
    assert found["counts"]["error"] == 1
