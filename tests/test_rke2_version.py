"""Versions of RKE2 are told apart and put in order."""

from __future__ import annotations

import pytest

from rbdtui.rke2_version import Rke2Version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v1.30.4+rke2r1", Rke2Version(1, 30, 4, 1)),
        ("1.36.3+rke2r2\n", Rke2Version(1, 36, 3, 2)),
        ("v1.31.0-rc1+rke2r1", Rke2Version(1, 31, 0, 1)),
        ("v1.30.4", None),
        ("v1.30.4+k3s1", None),
        ("v1.30.4+rke2r1 ", Rke2Version(1, 30, 4, 1)),
        ("v1.30.4+rke2r1x", None),
        ("v" + "9" * 5000, None),
        ("", None),
    ],
)
def test_what_is_read(text: str, version: Rke2Version | None) -> None:
    assert Rke2Version.parse(text) == version


def test_the_order_is_that_of_releases() -> None:
    texts = ["v1.28.15+rke2r1", "v1.30.4+rke2r1", "v1.30.4+rke2r2", "v1.30.13+rke2r1", "v1.36.0+rke2r1"]
    versions = [version for text in texts if (version := Rke2Version.parse(text)) is not None]
    assert versions == sorted(versions)
    assert [str(version) for version in versions] == texts
    assert versions[2].at_least(1, 30, 4)
    assert not versions[2].at_least(1, 30, 5)
    assert versions[4].at_least(1, 35)
