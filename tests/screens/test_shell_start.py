"""The start screen: recent sites, new ones, others, damaged ones, and the vault."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from rbdtui import profiles
from rbdtui.engine.lock import hold_site
from rbdtui.site import Site
from rbdtui.vault import Vault
from rbdtui.workbench.live.live import LiveSnapshot
from screens.app import RbdTuiApp
from screens.dialogs.passphrase import PassphraseDialog
from screens.dialogs.secret import SecretDialog
from screens.shell.base import SectionScreen
from screens.start.damaged import DamagedDialog
from screens.start.new_site import NewSiteDialog
from screens.start.open_site import OpenSiteDialog, complete_directory
from screens.start.start import StartScreen
from screens.terminal.settings import Settings
from screens.widgets.field import Field, TextLine, Verdict
from screens.widgets.frame import MessageLine
from tests.screens.conftest import Opened, bench, make_site, settled
from tests.screens.waiting import until
from tests.spec.samples import in_part

PASSPHRASE = "correct horse"


def app_of(pilot: Pilot[int]) -> RbdTuiApp:
    assert isinstance(pilot.app, RbdTuiApp)
    return pilot.app


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await settled(pilot)


async def type_in(pilot: Pilot[int], text: str) -> None:
    """Put a text in place of what the field with the cursor holds."""
    line = pilot.app.focused
    assert isinstance(line, TextLine)
    line.value = text
    await settled(pilot)


def said(pilot: Pilot[int]) -> str:
    return str(pilot.app.screen.query_one(MessageLine).said)


def page(pilot: Pilot[int]) -> str:
    return app_of(pilot).text_on_screen()


def advice(pilot: Pilot[int]) -> str:
    """What stands below the fields of a form."""
    return " ".join(str(verdict.hint or "") for verdict in pilot.app.screen.query(Verdict))


async def section_shown(pilot: Pilot[int]) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, SectionScreen))


async def test_nobody_has_been_here_yet(opened: Opened) -> None:
    async with opened() as pilot:
        assert isinstance(pilot.app.screen, StartScreen)
        assert "rbdtui demo" in page(pilot)
        await press(pilot, "enter", "delete", "x", "up", "down")
        assert isinstance(pilot.app.screen, StartScreen)


async def test_a_recent_site_is_opened_by_enter(opened: Opened, site: Site) -> None:
    async with opened(settings=Settings(recent=(str(site.path),))) as pilot:
        assert "4 nodes" in page(pilot)
        await press(pilot, "enter")
        await section_shown(pilot)


async def test_a_run_under_way_is_told_in_the_list(opened: Opened, site: Site) -> None:
    run = site.run_dir("20260101-1200-7f3a")
    run.mkdir(parents=True)
    (run / "events.jsonl").write_text("")
    with hold_site(site, run.name):
        async with opened(settings=Settings(recent=(str(site.path),))) as pilot:
            assert "run 7f3a: Enter attaches" in page(pilot)


async def test_a_site_is_forgotten_but_not_touched(opened: Opened, site: Site) -> None:
    async with opened(settings=Settings(recent=(str(site.path),))) as pilot:
        await press(pilot, "x")
        assert pilot.app.screen.query_one("#recent", OptionList).option_count == 0
        assert "not touched" in said(pilot)
    assert site.spec_file.exists()


async def test_a_new_site_is_made_and_opened(opened: Opened, home: Path) -> None:
    async with opened() as pilot:
        await press(pilot, "n")
        assert isinstance(pilot.app.screen, NewSiteDialog)
        await type_in(pilot, "lan-1")
        assert [field.value for field in pilot.app.screen.query(Field)] == ["lan-1", "~/rbdtui/lan-1"]
        await press(pilot, "enter")
        await section_shown(pilot)
    text = (home / "rbdtui" / "lan-1" / "cluster.yaml").read_text(encoding="utf-8")
    assert "name: lan-1" in text
    assert "profile: rainbond-6" in text, "which this version installs in full"


async def test_a_directory_is_typed_in_place_of_the_one_that_followed_the_name(opened: Opened, home: Path) -> None:
    async with opened() as pilot:
        await press(pilot, "n")
        await type_in(pilot, "Bad Name")
        await press(pilot, "tab", "ctrl+u", *"tsite")
        assert [field.value for field in pilot.app.screen.query(Field)] == ["Bad Name", "tsite"]


async def test_a_profile_that_is_not_installed_in_full_yet_is_offered_and_said_to_be_so(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles, "PROFILES", in_part("rainbond-5.17"))
    async with opened() as pilot:
        await press(pilot, "n", "tab", "tab")
        assert "Rainbond itself" not in advice(pilot)
        await press(pilot, "right")
        assert "Rainbond itself" in advice(pilot)
        await press(pilot, "right")
        assert "Rainbond itself" not in advice(pilot)
        await press(pilot, "right")
        assert "compared" in advice(pilot)
        await press(pilot, "right", "right", "enter")
        await section_shown(pilot)
    assert "profile: rainbond-5.17" in (home / "rbdtui" / "site-a" / "cluster.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["", "Großer Name", "a" * 80, "-"])
async def test_a_name_that_will_not_do_is_refused_with_what_is_allowed(opened: Opened, name: str) -> None:
    async with opened() as pilot:
        await press(pilot, "n")
        await type_in(pilot, name)
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, NewSiteDialog)
        assert "lowercase letters" in said(pilot)


async def test_a_taken_directory_is_refused(opened: Opened, home: Path) -> None:
    (home / "rbdtui" / "site-a").mkdir(parents=True)
    (home / "rbdtui" / "site-a" / "letters").touch()
    async with opened() as pilot:
        await press(pilot, "n", "enter")
        assert isinstance(pilot.app.screen, StartScreen)
        assert "not empty" in said(pilot)


async def test_another_directory_is_opened_with_completion(opened: Opened, site: Site, home: Path) -> None:
    async with opened() as pilot:
        await press(pilot, "o")
        assert isinstance(pilot.app.screen, OpenSiteDialog)
        await type_in(pilot, "~/site")
        await press(pilot, "tab")
        assert pilot.app.screen.query_one(Field).value == "~/site-a/"
        await press(pilot, "enter")
        await section_shown(pilot)


def test_completion_adds_only_what_is_beyond_doubt(home: Path) -> None:
    for name in ("site-a", "site-b", "other", ".hidden"):
        (home / name).mkdir()
    (home / "site-file").touch()
    assert complete_directory("~/si") == "~/site-"
    assert complete_directory("~/o") == "~/other/"
    assert complete_directory("o") == "other/"
    assert complete_directory("~/.h") == "~/.hidden/"
    assert complete_directory("~/none") == "~/none"
    assert complete_directory("~nobody-of-that-name/") == "~nobody-of-that-name/"
    assert complete_directory("/nowhere/x") == "/nowhere/x"
    assert complete_directory("\0") == "\0"


async def test_a_damaged_site_says_what_is_wrong_and_is_mended(opened: Opened, home: Path) -> None:
    good = make_site(home / "site-a").spec_file.read_text(encoding="utf-8")
    site = make_site(home / "site-b", "name: [\n")
    site.spec_file.with_name("cluster.yaml.bak").write_text(good, encoding="utf-8")
    async with opened(site=site.path) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, DamagedDialog))
        assert "cluster.yaml:2" in page(pilot)
        await press(pilot, "n", "p")
        assert isinstance(pilot.app.screen, DamagedDialog)
        await press(pilot, "b")
        await section_shown(pilot)


async def test_a_damaged_site_can_be_edited_where_an_editor_runs(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(home / "site-b", "name: [\n")
    monkeypatch.setenv("EDITOR", "/nowhere/editor")
    monkeypatch.delenv("VISUAL", raising=False)
    async with opened(site=site.path) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, DamagedDialog))
        await press(pilot, "e")
        await until(pilot, lambda: isinstance(pilot.app.screen, DamagedDialog))
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, StartScreen)


@pytest.mark.parametrize("mode", ["readable", "absent", "file", "no-spec"])
async def test_what_cannot_be_opened_never_raises(opened: Opened, site: Site, mode: str) -> None:
    path = site.path
    if mode == "readable":
        path.chmod(0o755)
    elif mode == "absent":
        path = path / "none"
    elif mode == "file":
        path = site.spec_file
    else:
        site.spec_file.unlink()
    async with opened(site=path) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, DamagedDialog))
        await press(pilot, "x")
        assert isinstance(pilot.app.screen, StartScreen)


# --- the vault -----------------------------------------------------------------------------------------------


def with_vault(site: Site) -> Site:
    Vault.create(site.vault_file, PASSPHRASE, work=2**14).set("sudo", "hidden value")
    return site


async def test_the_passphrase_is_asked_for_and_a_wrong_one_refused(opened: Opened, site: Site) -> None:
    workbench = bench(with_vault(site))
    workbench.show_live(LiveSnapshot())
    async with opened(workbench) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, PassphraseDialog))
        await type_in(pilot, "wrong")
        await press(pilot, "enter")
        await until(pilot, lambda: "does not open" in said(pilot))
        assert "wrong" not in page(pilot)
        assert pilot.app.screen.query_one(Field).value == ""
        await type_in(pilot, PASSPHRASE)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, SectionScreen))
        assert workbench.unlocked
        assert PASSPHRASE not in page(pilot)


async def test_without_the_passphrase_everything_else_goes_on(opened: Opened, site: Site) -> None:
    workbench = bench(with_vault(site))
    async with opened(workbench) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, PassphraseDialog))
        await press(pilot, "enter")
        assert "Esc" in said(pilot)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, SectionScreen)
        assert not workbench.unlocked


async def test_a_damaged_vault_says_what_to_do(opened: Opened, site: Site) -> None:
    site.vault_file.write_bytes(b"not a vault")
    async with opened(bench(site)) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, PassphraseDialog))
        await type_in(pilot, PASSPHRASE)
        await press(pilot, "enter")
        await until(pilot, lambda: "damaged" in said(pilot))


async def test_a_secret_goes_into_the_vault_and_nowhere_else(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        app_of(pilot).show_section("site", "ssh.password")
        await settled(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PassphraseDialog))
        first, second = pilot.app.screen.query(Field)
        first.line.value, second.line.value = "short", "short"
        await press(pilot, "enter")
        assert "at least 8" in said(pilot)
        first.line.value, second.line.value = PASSPHRASE, "another one"
        await press(pilot, "enter")
        assert "not the same" in said(pilot)
        second.line.value = PASSPHRASE
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, SecretDialog))
        await type_in(pilot, "hidden value")
        assert "hidden value" not in page(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: "Stored ssh in the vault" in said(pilot))
        assert workbench.draft.data["ssh"]["password"] == "secret:ssh"
    everything = b"".join(file.read_bytes() for file in site.path.rglob("*") if file.is_file())
    assert b"hidden value" not in everything
    assert Vault.open(site.vault_file, PASSPHRASE).get("ssh") == "hidden value"
