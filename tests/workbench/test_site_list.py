"""Sites seen from outside: what a list says of them, what is wrong with one, and what helps."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rbdtui.engine.lock import hold_site
from rbdtui.paths import asset
from rbdtui.profiles import PROFILES, Profile
from rbdtui.site import Site, SiteError
from rbdtui.spec.loader import load_spec
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.site_list import Repair, SiteSummary, make_site, repair, repairs_for, summary_of_site
from rbdtui.workbench.workbench import DamagedSpecError, Workbench

EXAMPLE = asset("examples", "three-node.yaml").read_text(encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site.create(tmp_path / "site-a")
    made.spec_file.write_text(EXAMPLE, encoding="utf-8")
    return made


def refused(path: Path) -> SiteError:
    """Why a site does not open."""
    with pytest.raises(SiteError) as caught:
        Workbench.open(path, HeldPassphrase())
    return caught.value


def test_a_glance_says_name_profile_and_size(site: Site) -> None:
    assert summary_of_site(site.path) == SiteSummary(site.path, "site-a", "rainbond-6", 3)


def test_a_glance_sees_a_run_under_way(site: Site) -> None:
    run = site.run_dir("20260101-1200-7f3a")
    run.mkdir(parents=True)
    (run / "events.jsonl").write_text("")
    with hold_site(site, run.name):
        assert summary_of_site(site.path).active_run == run.name
    assert summary_of_site(site.path).active_run == ""


@pytest.mark.parametrize(
    ("last_line", "outcome"),
    [
        ('{"type": "run-finished", "outcome": "done"}', "done"),
        ('{"type": "run-finished", "outcome": "failed"}', "failed"),
        ('{"type": "run-finished", "outcome": "new"}', None),
        ('{"type": "step-started"}', None),
        ("[]", None),
        ("{", None),
        ("", None),
    ],
)
def test_a_glance_says_how_the_newest_run_ended(site: Site, last_line: str, outcome: str | None) -> None:
    run = site.run_dir("20260101-1200-7f3a")
    run.mkdir(parents=True)
    (run / "events.jsonl").write_text(f"{{}}\n{last_line}\n")
    assert summary_of_site(site.path).outcome == outcome


def damage_spec(site: Site) -> None:
    site.spec_file.write_text("name: [\n", encoding="utf-8")


def with_backup(site: Site) -> None:
    damage_spec(site)
    site.spec_file.with_name("cluster.yaml.bak").write_text(EXAMPLE, encoding="utf-8")


@pytest.mark.parametrize(
    ("harm", "offered", "helps"),
    [
        (damage_spec, (Repair.EDIT, Repair.FORGET), None),
        (with_backup, (Repair.EDIT, Repair.BRING_BACK, Repair.FORGET), Repair.BRING_BACK),
        (lambda site: site.spec_file.unlink(), (Repair.BEGIN, Repair.FORGET), Repair.BEGIN),
        (lambda site: site.path.chmod(0o755), (Repair.MAKE_PRIVATE, Repair.FORGET), Repair.MAKE_PRIVATE),
        (lambda site: os.rename(site.path, site.path.with_name("elsewhere")), (Repair.FORGET,), None),
    ],
)
def test_what_can_be_done_about_a_damaged_site(
    site: Site, harm: Callable[[Site], None], offered: tuple[Repair, ...], helps: Repair | None
) -> None:
    harm(site)
    error = refused(site.path)
    assert summary_of_site(site.path).problem is not None
    assert repairs_for(site.path, error) == offered
    if helps is not None:
        repair(site.path, helps)
        Workbench.open(site.path, HeldPassphrase(), ask_servers=False).close()


def test_a_damaged_file_is_set_aside_when_its_backup_comes_back(site: Site) -> None:
    with_backup(site)
    repair(site.path, Repair.BRING_BACK)
    assert site.spec_file.read_text(encoding="utf-8") == EXAMPLE
    assert site.spec_file.with_name("cluster.yaml.damaged").read_text() == "name: [\n"


def test_a_damaged_file_says_where(site: Site) -> None:
    damage_spec(site)
    error = refused(site.path)
    assert isinstance(error, DamagedSpecError)
    assert error.findings[0].place.line == 2


@pytest.mark.parametrize("profile", PROFILES)
def test_a_new_site_has_comments_and_no_servers(tmp_path: Path, profile: Profile) -> None:
    site = make_site(tmp_path / "new", name="lan-1", profile=profile.name)
    loaded = load_spec(site.spec_file)
    assert loaded.data is not None
    assert (loaded.data["name"], loaded.data["profile"], loaded.data["nodes"]) == ("lan-1", profile.name, [])
    assert loaded.text.count("#") > 20
    assert site.spec_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("profile", PROFILES, ids=str)
def test_a_new_site_has_no_section_that_its_profile_has_no_use_for(tmp_path: Path, profile: Profile) -> None:
    loaded = load_spec(make_site(tmp_path / "new", name="lan-1", profile=profile.name).spec_file)
    assert [finding.code for finding in loaded.findings if finding.code == "RBD-SPEC-040"] == []


def test_a_directory_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("dear")
    with pytest.raises(SiteError) as caught:
        make_site(tmp_path, name="a", profile="")
    assert caught.value.text.key == "site.not_empty"


def is_advised_to_be_made_private(path: Path, error: SiteError) -> bool:
    return "chmod" in str(error) or Repair.MAKE_PRIVATE in repairs_for(path, error)


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o1777, 0o701])
def test_what_is_no_site_is_never_to_be_made_private(tmp_path: Path, mode: int) -> None:
    """As an operator in ``/`` or ``/etc`` would have it, who forgot to change the directory."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "passwd").write_text("")
    other.chmod(mode)
    error = refused(other)
    assert error.text.key == "site.no_spec"
    assert str(other) in str(error)
    assert not is_advised_to_be_made_private(other, error)
    assert Repair.BEGIN not in repairs_for(other, error), "it would be made private next"
    with pytest.raises(SiteError):
        repair(other, Repair.MAKE_PRIVATE)
    assert other.stat().st_mode & 0o7777 == mode


def test_an_empty_directory_of_ours_may_become_a_site(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o755)
    assert Repair.BEGIN in repairs_for(empty, refused(empty))
    repair(empty, Repair.BEGIN)
    assert empty.stat().st_mode & 0o777 == 0o700
    Workbench.open(empty, HeldPassphrase(), ask_servers=False).close()


def test_a_site_of_somebody_else_is_not_to_be_made_private(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.path.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: site.path.stat().st_uid + 1)
    error = refused(site.path)
    assert error.text.key == "site.not_ours"
    assert not is_advised_to_be_made_private(site.path, error)


def test_the_place_is_named_in_full(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.path.chmod(0o755)
    monkeypatch.chdir(site.path)
    assert f"chmod 700 {site.path}" in str(refused(Path()))
    site.spec_file.unlink()
    assert str(site.path) in str(refused(Path()))
