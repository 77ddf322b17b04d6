"""``audit`` on simulated hosts of a Rainbond 3.6: before, after, as JSON; and what refuses to act."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from rbdtui.audit.target import target_of
from rbdtui.cli.output import Exit
from rbdtui.paths import asset
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.rainbond_3_6 import after, before
from rbdtui.site import Site
from rbdtui.spec.loader import parse_spec
from rbdtui.words import LANGUAGES
from tests.cli import console
from tests.cli.hosts import FleetThread, fill_vault

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NAMES = ("manage01", "compute01", "compute02")
SCHEMA = json.loads(asset("schemas", "audit.schema.json").read_text())
REFUSE = (
    ("run", "--yes"), ("plan",), ("health",), ("drill", "--yes"), ("reset", "--yes"), ("snapshot",), ("repair",),
    ("report",), ("remove", "compute02"), ("bundle", "verify"),
)  # fmt: skip


class OldSite:
    """A site of three simulated servers with a Rainbond 3.6."""

    def __init__(self, fleet: SimulatedFleet, site: Site) -> None:
        self.site, self._machines = site, list(fleet.machines.values())
        text = site.spec_file.read_text()
        nodes = "".join(
            f"  - {{name: {name}, address: {machine.ip}, roles: [{roles}]}}\n"
            for name, machine, roles in zip(
                NAMES, self._machines, ("control-plane, etcd", "worker, gateway", "worker, gateway"), strict=True
            )
        )
        head = text.partition("nodes:\n")[0].replace("profile: kubernetes-only", "profile: rainbond-3.6")
        self.text = (
            f"{head}nodes:\n{nodes}gateway: {{mode: keepalived, vip: {fleet.vip}, virtual_router_id: 87}}\n"
            "glusterfs: {mode: arbiter, disk: /dev/vdb, brick: /data/glusterfs, volume: data}\n"
        )
        site.spec_file.write_text(self.text)
        keys = fleet.known_hosts
        for number, name in enumerate(NAMES, 1):
            keys = keys.replace(f"node{number} ", f"{name} ")
        site.known_hosts_file.write_text(keys)
        self.put(converted=False)

    def put(self, *, converted: bool) -> None:
        """What is on the hosts."""
        spec = parse_spec(self.text).spec
        assert spec is not None
        hosts = (after if converted else before)(target_of(spec))
        for name, machine in zip(NAMES, self._machines, strict=True):
            machine.old_rainbond = hosts[name]

    def say(self, verb: str, *words: str, language: str = "en") -> console.Said:
        """A command about it."""
        verbs = (verb, words[0]) if verb == "bundle" else (verb,)
        more = words[1:] if verb == "bundle" else words
        file = self.site.path / "passphrase"
        return console.run(language, *verbs, self.site.path, *more, "--passphrase-file", file)


@pytest.fixture
def old(tmp_path: Path) -> Iterator[OldSite]:
    with FleetThread(SimulatedFleet(3, speed=20.0)) as hosts:
        site = write_demo_site(tmp_path / "site", hosts.fleet)
        fill_vault(site.path, {})
        yield OldSite(hosts.fleet, site)


@pytest.mark.parametrize("language", LANGUAGES)
def test_before_and_after_in_words(old: OldSite, language: str) -> None:
    said = old.say("audit", language=language).check(Exit.FINDINGS).out
    level = {"en": "1 now, 2 once", "zh": "目前 1 级，全部与文档一致后 2 级"}[language]
    assert level in said
    assert "mv /opt/rainbond/compose/lb.yaml /opt/rainbond/compose/lb.yaml.bak" in said
    assert "gluster --mode=script volume create data replica 3 arbiter 1 compute01:/data/glusterfs" in said
    assert "RBD-" not in said
    old.put(converted=True)
    said = old.say("audit", language=language).check(Exit.GOOD).out
    assert {"en": "2 now, 2 once", "zh": "目前 2 级"}[language] in said
    assert "lb.yaml.bak" not in said, "what fits is told in a line"
    one = old.say("audit", "--row", "C22", language=language).check(Exit.GOOD).out
    assert "C22" in one
    assert "C21" not in one


def test_json_is_as_published(old: OldSite) -> None:
    found = json.loads(old.say("audit", "--json").check(Exit.FINDINGS).out)
    Draft202012Validator(SCHEMA).validate(found)
    assert found["level"] == {"now": 1, "certain": True, "after": 2}
    assert len(found["rows"]) == 44
    assert sum(found["counts"].values()) == 44
    old.put(converted=True)
    found = json.loads(old.say("audit", "--json").check(Exit.GOOD).out)
    Draft202012Validator(SCHEMA).validate(found)
    assert found["counts"]["differs"] == 0


def test_a_server_that_is_away_leaves_the_others_rows(old: OldSite) -> None:
    old.put(converted=True)
    keys = old.site.known_hosts_file.read_text().splitlines(keepends=True)
    old.site.known_hosts_file.write_text("".join(keys[:2]))
    found = json.loads(old.say("audit", "--json").check(Exit.FINDINGS).out)
    Draft202012Validator(SCHEMA).validate(found)
    rows = {row["id"]: row["state"] for row in found["rows"]}
    assert (rows["C34"], rows["C33"], rows["C37"]) == ("unknown", "ok", "ok")
    assert found["level"]["certain"] is False


def test_no_secret_of_a_file_is_told(old: OldSite) -> None:
    said = old.say("audit", "-v").check(Exit.FINDINGS).words
    assert "masked" not in said
    assert "auth_pass PASSWORD" in said, "only the place for one"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_installs_or_asks_what_was_installed_refuses(old: OldSite, language: str) -> None:
    sentence = {"en": "Nothing is installed on a site of rainbond-3.6", "zh": "rainbond-3.6 的站点不会安装任何内容"}[
        language
    ]
    for words in REFUSE:
        said = old.say(*words, language=language).check(Exit.USAGE)
        assert sentence in said.err, words
        assert f"rbdtui audit {old.site.path}" in said.err, words
    assert old.site.run_ids() == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_check_looks_at_cluster_yaml_alone(old: OldSite, language: str) -> None:
    said = old.say("check", language=language).check(Exit.GOOD)
    assert f"rbdtui audit {old.site.path}" in said.err
    assert json.loads(old.say("check", "--json").check(Exit.GOOD).out)["counts"]["error"] == 0


MISTAKES = (
    ("worker, gateway", "worker", "RBD-AUDIT-002"),
    ("name: compute02", "name: node3", "RBD-AUDIT-003"),
    ("mode: keepalived", "mode: none", "RBD-AUDIT-004"),
    ("brick: /data/glusterfs", "brick: /data/$(id)", "RBD-AUDIT-006"),
    ("volume: data", "volume: 'a b'", "RBD-AUDIT-006"),
    ("gateway: {", "kubernetes: {distribution: existing, kubeconfig: /k}\ngateway: {", "RBD-AUDIT-005"),
)


def test_mistakes_of_cluster_yaml(old: OldSite) -> None:
    for there, instead, code in MISTAKES:
        assert there in old.text
        old.site.spec_file.write_text(old.text.replace(there, instead, 1))
        assert code in old.say("check").out, code


def test_another_profile_has_nothing_to_compare(old: OldSite) -> None:
    text = old.text.partition("glusterfs:")[0].replace("rainbond-3.6", "kubernetes-only")
    old.site.spec_file.write_text(text)
    assert "kubernetes-only" in old.say("audit").check(Exit.USAGE).err


def test_a_row_that_is_not_there(old: OldSite) -> None:
    assert "C99" in old.say("audit", "--row", "C99").check(Exit.USAGE).err
