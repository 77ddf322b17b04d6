"""Forms: what every section of the registry has, and what all forms do with a field."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from rbdtui.checks.services import SERVICE_CHECKS
from rbdtui.profiles import PROFILES
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.section_at import default_at, modes_at, section_at, values_at
from rbdtui.words import LANGUAGES, T, catalogue
from rbdtui.workbench.draft.operations import text_at, value_at
from rbdtui.workbench.live.bundle_view import BundleLook
from rbdtui.workbench.live.live import LiveSnapshot
from rbdtui.workbench.live.service_words import age_words, words_of
from rbdtui.workbench.live.services import ServiceLook
from rbdtui.workbench.rail import section_statuses
from rbdtui.workbench.sections import SECTIONS, Section, section_of_field
from screens.dialogs.yaml_text import YamlDialog
from screens.forms.storage import StorageForm
from screens.nodes.login import _FIELDS as LOGIN_FIELDS
from screens.nodes.login import LoginForm
from screens.nodes.node_fields import NODE_FIELDS
from screens.shell.base import Words
from screens.shell.form import FormScreen
from screens.shell.sections import entry_of
from screens.widgets.declared_form import DeclaredForm
from screens.widgets.field import Choice as ShownChoice
from screens.widgets.field import Field, TextLine, Verdict
from screens.widgets.form_fields import Block, Choice, FormField, Heading, Line, Mode
from tests.screens.conftest import Opened, settled, show_live
from tests.screens.forming import plan_with, show
from tests.screens.pilot import key_event
from tests.screens.waiting import drawn, program

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"


def screen_of(section: Section) -> type[object]:
    entry = entry_of(section.name)
    assert entry is not None
    return entry.screen_class


def forms() -> Iterator[tuple[Section, type[FormScreen]]]:
    for section in SECTIONS:
        screen = screen_of(section)
        if issubclass(screen, FormScreen):
            yield section, screen


def declared_fields() -> Iterator[FormField]:
    for _, screen in forms():
        yield from (field for field in screen.FIELDS if isinstance(field, FormField))
    yield from (field for field in LOGIN_FIELDS if isinstance(field, FormField))
    yield from NODE_FIELDS


LABEL_CELLS = 18
"""As the stylesheet has the column of labels."""


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_every_section_has_a_screen_a_key_of_its_own_and_words_in_every_language(section: Section) -> None:
    assert getattr(screen_of(section), "SECTION", None) == section.name
    assert [other.key for other in SECTIONS].count(section.key) == 1
    for language in LANGUAGES:
        assert {f"section.{section.name}", f"help.{section.name}"} <= catalogue(language).keys()
        if section.parts:
            assert f"unused.{section.name}" in catalogue(language)


@pytest.mark.parametrize("section", [each for each in SECTIONS if each.parts], ids=lambda section: section.name)
def test_every_part_that_a_profile_may_lack_has_a_model_an_example_and_a_profile(section: Section) -> None:
    written = [parse_spec(file.read_text(encoding="utf-8")).data or {} for file in EXAMPLES.glob("*.yaml")]
    for part in section.parts:
        assert section_at(part) is not None
        assert any(part in profile.sections for profile in PROFILES)
        assert section_of_field(part) == section.name
        assert any(part in data for data in written)
    for language in LANGUAGES:
        assert any(word in catalogue(language)[f"help.{section.name}"] for word in ("Example", "example", "示例"))


def test_every_section_of_the_model_is_edited_somewhere_or_known_not_to_be() -> None:
    elsewhere = {"kubernetes", "acknowledged", "glusterfs"}
    assert {key for key in ClusterSpec.model_fields if section_of_field(key) == "review"} == elsewhere


@pytest.mark.parametrize(("section", "screen"), forms(), ids=lambda each: getattr(each, "name", ""))
def test_fields_are_in_the_model_and_every_key_of_a_modal_section_has_one(
    section: Section, screen: type[FormScreen]
) -> None:
    fields = [field for field in screen.FIELDS if isinstance(field, FormField)]
    for field in fields:
        parent, _, key = field.path.rpartition(".")
        model = section_at(parent)
        assert model is not None
        assert key in model.model_fields
        assert section_of_field(field.path) == section.name
        if isinstance(field, Choice):
            assert len(field.all_values) > 1
    for part in {field.path.rpartition(".")[0] for field in fields if isinstance(field, Mode)}:
        model = modes_at(part)
        assert model is not None
        assert set(model.model_fields) == {
            field.path.rpartition(".")[2] for field in fields if field.path.rpartition(".")[0] == part
        }


def test_words_of_forms_belong_to_a_field_and_every_field_has_its_own() -> None:
    wanted: set[str] = set()
    allowed: set[str] = set()
    for field in declared_fields():
        name = field.path.replace(".", "_")
        wanted.add(f"form.label.{name}")
        allowed |= {f"form.hint.{name}", f"form.usual.{name}"} if isinstance(field, Line | Block) else set()
        if isinstance(field, Choice) and field.named:
            wanted |= {f"form.option.{name}.{value}" for value in field.all_values}
            allowed |= {f"form.price.{name}.{value}" for value in field.all_values}
    for _, screen in forms():
        wanted |= {each.text.key for each in screen.FIELDS if isinstance(each, Heading)}
    kinds = ("form.label.", "form.hint.", "form.usual.", "form.option.", "form.price.", "form.heading.")
    for language in LANGUAGES:
        there = {key for key in catalogue(language) if key.startswith(kinds)}
        assert wanted <= there
        assert there <= wanted | allowed


def test_no_label_is_cut() -> None:
    for language in LANGUAGES:
        labels = {key: said for key, said in catalogue(language).items() if key.startswith("form.label.")}
        assert {key: said for key, said in labels.items() if cell_len(said) > LABEL_CELLS} == {}


async def test_what_holds_while_a_field_is_empty_is_said_although_the_model_has_no_default(
    opened: Opened, home: Path
) -> None:
    workbench = plan_with(home, "kubesphere: {install: true}", profile="kubernetes-only")
    async with opened(workbench) as pilot:
        await show(pilot, "platform", "kubesphere.storage_class")
        shown = [line.placeholder for line in pilot.app.screen.query(TextLine)]
        assert shown.count(str(T("form.usual.kubesphere_storage_class"))) == 1
        assert shown.count(str(T("form.usual.kubesphere_image_registry"))) == 1
        assert not [text for text in shown if "{" in text]


@pytest.mark.parametrize(
    ("path", "default", "values"),
    [
        ("mysql.port", "3306", ()),
        ("etcd.mode", "reuse", ("builtin", "reuse", "external")),
        ("registry.insecure_skip_verify", "false", ("true", "false")),
        ("gateway.interface", "auto", ()),
        ("ssh.bastion.port", "22", ()),
        ("nodes[3].ssh.bastion.user", "root", ()),
        ("mysql.host", "", ()),
    ],
)
def test_the_model_says_what_holds_of_a_field(path: str, default: str, values: tuple[str, ...]) -> None:
    assert default_at(path) == default
    assert values_at(path) == values


def test_a_path_that_is_nowhere_has_no_section() -> None:
    assert section_at("nodes[0].ssh.user") is None
    assert section_at("made.up") is None
    assert default_at("made.up") == ""


# --- one field -------------------------------------------------------------------------------------------------


async def type_in(pilot: Pilot[int], text: str) -> None:
    names = {".": "full_stop", ":": "colon", "/": "slash", ",": "comma", " ": "space", "=": "equals_sign"}
    for sign in (*text, "enter"):
        pilot.app.post_message(key_event(names.get(sign, sign)))
    await drawn(pilot)


def verdict(pilot: Pilot[int], path: str) -> Verdict:
    parts: list[Field | ShownChoice] = [*pilot.app.screen.query(Field), *pilot.app.screen.query(ShownChoice)]
    return next(part for part in parts if part.path == path).query_one(Verdict)


def blamed(pilot: Pilot[int], path: str) -> list[str]:
    return [str(finding.message) for finding in verdict(pilot, path).findings]


async def test_an_error_speaks_with_the_label_on_the_screen(opened: Opened, home: Path) -> None:
    workbench = plan_with(home, "mysql: {mode: external}")
    async with opened(workbench) as pilot:
        await show(pilot, "mysql")
        assert blamed(pilot, "mysql.host") == ["`MySQL server` is missing; mode external MySQL needs it."]
        await show(pilot, "mysql", "mysql.port")
        await type_in(pilot, "99999")
        assert blamed(pilot, "mysql.port") == ["`Port` must be a number from 1 to 65535."]
        await pilot.press("L")
        await drawn(pilot)
        assert "`端口`" in blamed(pilot, "mysql.port")[0]
    found = [str(finding.message) for finding in workbench.draft.findings]
    assert any("`mysql.port`" in message or "mysql.port" in message for message in found)


async def test_several_texts_are_typed_in_one_line_and_the_wrong_one_is_named(opened: Opened, home: Path) -> None:
    workbench = plan_with(home, "etcd: {mode: external}")
    async with opened(workbench) as pilot:
        await show(pilot, "etcd", "etcd.endpoints")
        await type_in(pilot, "10.0.0.41:2379, 10.0.0.42:2379,10.0.0.43")
        assert value_at(workbench.draft.data, "etcd.endpoints") == ["10.0.0.41:2379", "10.0.0.42:2379", "10.0.0.43"]
        assert blamed(pilot, "etcd.endpoints") == ["`Members (3)` is not an address with a port."]


async def test_a_mode_brings_back_what_was_typed_for_it(opened: Opened, home: Path) -> None:
    workbench = plan_with(home, "storage: {mode: nfs, server: 10.0.0.30, path: /data, storage_class: mine}")
    before = workbench.draft.data["storage"].copy()
    async with opened(workbench) as pilot:
        await show(pilot, "storage", "storage.mode")
        await pilot.press("left")
        assert workbench.draft.data["storage"] == {"mode": "storage-class"}
        await show(pilot, "storage", "storage.storage_class")
        await type_in(pilot, "fast")
        await show(pilot, "storage", "storage.mode")
        await pilot.press("right")
        assert workbench.draft.data["storage"] == before
        await pilot.press("left")
        assert workbench.draft.data["storage"] == {"mode": "storage-class", "storage_class": "fast"}
        await pilot.press("escape", "u", "u")
        assert text_at(workbench.draft.data, "storage.storage_class") == "fast"


async def test_what_a_mode_has_no_use_for_is_shown_until_it_is_gone(opened: Opened, home: Path) -> None:
    workbench = plan_with(home, "mysql: {mode: builtin, host: 10.0.0.20}")
    async with opened(workbench) as pilot:
        await show(pilot, "mysql")
        assert "not used" in blamed(pilot, "mysql.host")[0]
        await show(pilot, "mysql", "mysql.host")
        await pilot.press("enter", "ctrl+u", "enter")
        await drawn(pilot)
        assert "mysql" not in workbench.draft.data or "host" not in workbench.draft.data["mysql"]
        shown = {field.path: field.display for field in pilot.app.screen.query(Field)}
        assert not shown["mysql.host"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_section_that_the_profile_lacks_says_why_and_its_rest_can_be_deleted(
    opened: Opened, home: Path, language: str
) -> None:
    workbench = plan_with(home, "etcd: {mode: reuse}", profile="rainbond-6")
    async with opened(workbench, language=language) as pilot:
        await show(pilot, "etcd")
        assert "rainbond-6" in program(pilot).text_on_screen()
        assert not pilot.app.screen.query_one(DeclaredForm).display
        await pilot.press("right", "space", "down", "left")
        assert workbench.draft.data["etcd"] == {"mode": "reuse"}
        await pilot.press("d")
        await drawn(pilot)
        assert "etcd" not in workbench.draft.data
        assert {status.section: status.state for status in section_statuses(workbench)}["etcd"] == "unused"
        workbench.change(lambda data: data.update(profile="rainbond-5.17"))
        await drawn(pilot)
        assert pilot.app.screen.query_one(DeclaredForm).display


@pytest.mark.parametrize("language", LANGUAGES)
async def test_trying_another_profile_or_distribution_loses_nothing_and_says_what_waits(
    opened: Opened, home: Path, language: str
) -> None:
    workbench = plan_with(
        home, "mysql: {mode: builtin}", "registry: {mode: builtin}", "kubernetes: {pod_cidr: 10.52.0.0/16}",
        profile="rainbond-6",
    )  # fmt: skip
    before = copy.deepcopy(workbench.draft.data)
    async with opened(workbench, language=language) as pilot:
        await show(pilot, "site", "profile")
        await pilot.press("right", "right")
        await drawn(pilot)
        assert workbench.draft.data["profile"] == "kubernetes-only"
        assert not {"mysql", "registry"} & workbench.draft.data.keys()
        states = {status.section: status.state for status in section_statuses(workbench)}
        assert (states["mysql"], states["registry"]) == ("unused", "unused")
        waits = str(verdict(pilot, "profile").hint)
        assert catalogue(language)["section.registry"] in waits
        assert "MySQL" in waits
        assert catalogue(language)["form.laid_aside"].partition("{")[0] in program(pilot).text_on_screen()
        await show(pilot, "mysql")
        unused = pilot.app.screen.query_one("#unused", Words)
        assert str(unused.text).endswith(catalogue(language)["form.unused_waits"].partition("}")[2])
        assert unused.size.height > 1
        await show(pilot, "site", "profile")
        await pilot.press("left", "left")
        assert workbench.draft.data == before
        await show(pilot, "site", "kubernetes.distribution")
        await pilot.press("right")
        assert workbench.draft.data["kubernetes"] == {"distribution": "existing"}
        await drawn(pilot)
        assert "kubernetes.pod_cidr" in program(pilot).text_on_screen()
        await pilot.press("escape", "u")
        assert workbench.draft.data == before


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_platform_offers_what_the_bundle_holds(opened: Opened, home: Path, language: str) -> None:
    workbench = plan_with(home, profile="rainbond-6")
    held = ("v5.17.3-release", "v6.2.1-release", "v6.9.8-release")

    def beneath() -> str:
        return str(verdict(pilot, "rainbond.version").hint)

    def sentence(key: str, **params: str) -> str:
        return catalogue(language)[f"form.bundle.{key}"].format(**params)

    async with opened(workbench, language=language) as pilot:
        await show(pilot, "platform", "rainbond.version")
        for look, key, params in (
            (BundleLook("bundle", reading=True), "reading", {}),
            (BundleLook("bundle"), "none", {}),
            (BundleLook("bundle", unreadable=T("form.bundle.none")), "unreadable", {"reason": sentence("none")}),
            (BundleLook("bundle", releases=held[:1]), "other_profile", {"held": held[0]}),
            (BundleLook("bundle", releases=held[:2]), "only", {"held": held[1]}),
            (BundleLook("bundle", releases=held), "choose", {"held": ", ".join(held[1:])}),
        ):
            workbench.show_bundle(look)
            await drawn(pilot)
            assert beneath() == sentence(key, **params)
        await pilot.press("right", "right")
        assert text_at(workbench.draft.data, "rainbond.version") == "v6.9.8-release"
        await drawn(pilot)
        assert beneath() == sentence("there")
        await type_in(pilot, "v6.3.0-release")
        assert beneath() == sentence("not_there", held=", ".join(held[1:]))
        workbench.show_bundle(BundleLook("elsewhere", releases=held))
        await drawn(pilot)
        assert verdict(pilot, "rainbond.version").hint is None


# --- live answers ----------------------------------------------------------------------------------------------


def test_how_old_an_answer_is_and_whose_is_said() -> None:
    look = ServiceLook("question", answers={"a": 1, "": 1}, answered_at={"a": 100.0, "": 160.0})
    said = words_of(look, 190.0)
    assert said is not None
    assert said.good
    assert str(said.text) == "In order, seen from a, this machine, 1 min ago."
    assert str(age_words(59.9)) == "just now"


def test_a_service_is_not_called_good_while_it_is_asked_or_when_nobody_could_ask_or_something_is_wrong() -> None:
    asking = ServiceLook("question", asking=("a", "b", "c", "d"), answers={"e": 1}, answered_at={"e": 1.0})
    assert str(words_of(asking).text) == "Checking from a, b, c and 1 more."  # type: ignore[union-attr]
    nobody = words_of(ServiceLook("question"))
    assert nobody is not None
    assert not nobody.good
    spec = parse_spec("a: 1")
    assert words_of(replace(asking, asking=(), findings=spec.findings)) is None


@pytest.mark.parametrize("check", SERVICE_CHECKS, ids=lambda check: check.name)
async def test_the_answer_of_every_service_check_stands_beneath_its_field(
    opened: Opened, home: Path, check: object
) -> None:
    name, place = check.name, check.field  # type: ignore[attr-defined]
    if name == "vip":
        return  # says more than that it is in order: test_balancer
    section = place.partition(".")[0]
    used = {
        "storage": "storage: {mode: nfs, server: 10.0.0.30, path: /data}",
        "mysql": "mysql: {mode: external, host: 10.0.0.20, username: a, password: secret:a}",
        "registry": "registry: {mode: external, domain: hub.corp:5000}",
        "etcd": "etcd: {mode: external, endpoints: [10.0.0.41:2379], ca: /a, cert: /a, key: /a}",
        "rainbond": "rainbond: {domain_suffix: apps.lan}",
        "kubernetes": "kubernetes: {distribution: existing, kubeconfig: /a}",
        "gateway": "gateway: {mode: keepalived, vip: 127.88.0.100/24, virtual_router_id: 87}",
    }
    account = "username: a, password: secret:mysql"
    made = {
        "nfs-made": "storage: {mode: nfs-server, node: server1, path: /data}",
        "mysql-made": f"mysql: {{mode: pair, source: server1, replica: server2, {account}}}",
    }
    workbench = plan_with(home, made.get(name, used[section]))
    async with opened(workbench) as pilot:
        await show(pilot, section_of_field(place))
        look = ServiceLook("question", answers={"server1": 1}, answered_at={"server1": time.monotonic()})
        show_live(workbench, LiveSnapshot(services={name: look}))
        await drawn(pilot)
        beneath = verdict(pilot, place)
        assert str(beneath.hint) == "In order, seen from server1, just now."
        assert beneath.good


async def test_an_nfs_server_is_made_on_one_of_the_servers_that_stand_there(opened: Opened, home: Path) -> None:
    known = "storage: {mode: nfs, server: 10.0.0.30, path: /data}"
    workbench = plan_with(home, known, profile="rainbond-6")
    workbench.change(
        lambda data: data["nodes"].append({"name": "data1", "address": "127.88.0.31", "roles": ["service"]})
    )
    async with opened(workbench) as pilot:
        await show(pilot, "storage", "storage.mode")
        await pilot.press("right")
        await settled(pilot)
        assert workbench.draft.data["storage"] == {"mode": "nfs-server", "path": "/data"}
        form = pilot.app.screen.query_one(StorageForm)
        offered = form.offers("storage.node")
        assert (offered[0], "server1" in offered) == ("data1", True)
        assert form.usual_value("storage.storage_class") == "nfs-storage"
        await show(pilot, "storage", "storage.node")
        await pilot.press(*"data1", "enter")
        await settled(pilot)
        assert workbench.draft.data["storage"]["node"] == "data1"
        await pilot.press("2")
        await drawn(pilot)
        assert "service" in program(pilot).text_on_screen()


async def test_down_leads_on_from_a_field_that_is_being_typed_into(opened: Opened, home: Path) -> None:
    workbench = plan_with(home, "mysql: {mode: external}")
    async with opened(workbench) as pilot:
        await show(pilot, "mysql", "mysql.host")
        for text, keys in (("db", ("down",)), ("3307", ("down",)), ("ops", ("up", "up"))):
            await pilot.press(*text, *keys)
            await settled(pilot)
        await pilot.press(*"db2")
        await drawn(pilot)
        mysql = workbench.draft.data["mysql"]
        assert mysql == {"mode": "external", "host": "db2", "port": 3307, "username": "ops"}


async def test_the_workbench_knows_while_a_part_is_being_typed_into(opened: Opened, home: Path) -> None:
    workbench = plan_with(home, "mysql: {mode: external}")
    async with opened(workbench) as pilot:
        await show(pilot, "mysql", "mysql.host")
        steps = [("d b", "mysql"), ("enter", ""), ("enter x", "mysql"), ("down", ""), ("3", "mysql"), ("enter", "")]
        for keys, part in steps:
            await pilot.press(*keys.split())
            await settled(pilot)
            assert (keys, workbench._typed_into) == (keys, part)
        await pilot.press("9")
        await settled(pilot)
        assert workbench._typed_into == ""


# --- values of the chart ---------------------------------------------------------------------------------------


async def test_values_of_the_chart_are_edited_as_text_and_taken_once_they_can_be_read(
    opened: Opened, home: Path
) -> None:
    workbench = plan_with(home, "rainbond:", "  values:", "    Cluster: {replicas: 2}")
    async with opened(workbench) as pilot:
        await show(pilot, "platform", "rainbond.values")
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(pilot.app.screen, YamlDialog)
        await pilot.press("down", "down", *"a", "colon", "space", "left_square_bracket")
        await pilot.press("f2")
        await drawn(pilot)
        assert isinstance(pilot.app.screen, YamlDialog)
        assert workbench.draft.data["rainbond"]["values"] == {"Cluster": {"replicas": 2}}
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, YamlDialog)
        await pilot.press("end", "backspace", "1", "f2")
        await drawn(pilot)
        assert workbench.draft.data["rainbond"]["values"] == {"Cluster": {"replicas": 2}, "a": 1}


def test_login_is_a_declared_form_too() -> None:
    assert issubclass(LoginForm, DeclaredForm)
