"""What ships for operators: examples that load as they are, and the schema for their editors."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import jsonschema
import pytest
import yaml

from rbdtui.findings import Severity
from rbdtui.paths import asset
from rbdtui.profiles import optional_sections, profile_named
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.rules import check_rules
from rbdtui.spec.template import EXAMPLES, fill_example
from tests.spec.samples import GOOD, changed


def text_of(example: str) -> str:
    return asset("examples", f"{example}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_plan_without_errors(example: str) -> None:
    loaded = parse_spec(text_of(example))
    assert loaded.findings == ()
    assert loaded.spec is not None
    findings = check_rules(loaded.spec, loaded.place)
    assert [finding.code for finding in findings if finding.severity is Severity.ERROR] == []
    if example == "kubernetes-only":
        assert findings == []


def test_there_is_no_example_that_nobody_can_choose() -> None:
    assert sorted(file.stem for file in asset("examples").glob("*.yaml")) == sorted(EXAMPLES)


def uncommented(example: str) -> str:
    """The example with the settings switched on that stand there as comments."""
    lines = []
    for line in text_of(example).splitlines():
        body = line.lstrip()
        is_setting = body.startswith("# ") and ":" in body.split("  #")[0] and line.startswith((" ", "# "))
        lines.append(line.replace("# ", "", 1) if is_setting and line.startswith("  ") else line)
    return "\n".join(lines)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_key_is_explained_by_the_examples(example: str) -> None:
    """Keys that the example does not use stand there as comments; switched on, they are keys that exist."""
    unknown = [f.place.field for f in parse_spec(uncommented(example)).findings if f.code == "RBD-SPEC-001"]
    assert unknown == []


@pytest.mark.parametrize(
    ("example", "profile"),
    [("kubernetes-only", "kubernetes-only"), ("three-node", "rainbond-6"), ("rainbond-5.17", "rainbond-5.17")],
)
def test_all_keys_of_the_model_are_in_an_example_of_each_profile(example: str, profile: str) -> None:
    text = text_of(example)
    parts = ClusterSpec.model_json_schema()["$defs"]
    known = profile_named(profile)
    assert known is not None
    left_out = {name.title() for name in optional_sections() if name not in known.sections}
    within = {name: set(re.findall(r"#/\$defs/(\w+)", json.dumps(part))) for name, part in parts.items()}
    left_out |= {
        name for name in parts if (users := {each for each in parts if name in within[each]}) and users <= left_out
    }
    keys = {key for name, part in parts.items() if name not in left_out for key in part.get("properties", {})}
    assert [key for key in sorted(keys) if f"{key}:" not in text] == []


@pytest.mark.parametrize(
    ("site_name", "name"),
    [
        ("prod", "prod"),
        ("Site A!", "site-a"),
        ("站点", "site-a"),
        ("x" * 100, "x" * 63),
        ("-", "site-a"),
        ("\\1", "1"),
        ("no", "no"),
    ],
)
def test_the_name_of_the_site_is_filled_in(site_name: str, name: str) -> None:
    for example in EXAMPLES:
        filled = fill_example(text_of(example), site_name=site_name)
        spec = parse_spec(filled).spec
        assert spec is not None
        assert spec.name == name
        assert len(filled.splitlines()) == len(text_of(example).splitlines())


def schema() -> dict[str, object]:
    content = json.loads(asset("schemas", "cluster.schema.json").read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def test_the_schema_is_the_one_that_the_command_prints() -> None:
    command = [sys.executable, "-m", "rbdtui.spec.schema"]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode("utf-8")
    assert printed == asset("schemas", "cluster.schema.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [*map(text_of, EXAMPLES), GOOD])
def test_the_schema_accepts_good_files(text: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(yaml.safe_load(text), schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("unicast: true", "unicats: true"),
        ("port: 22", "port: 0"),
        ("port: 22", "port:"),
        ("name: node2", "name: Node2"),
        ("secret:sudo", "hunter2"),
        ("[control-plane, etcd, worker]", "[]"),
        ("rbdtui/v1", "rbdtui/v2"),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(old: str, new: str) -> None:
    text = changed((old, new))
    assert parse_spec(text).spec is None
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), schema(), jsonschema.Draft202012Validator)
