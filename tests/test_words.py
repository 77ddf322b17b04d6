"""The catalogue of words: complete in every language, used as a whole, and filled with the same parameters."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from rbdtui.findings import Finding, Severity
from rbdtui.transport.base import TransportError
from rbdtui.words import LANGUAGES, T, Text, as_listed, catalogue, language_of_environment, say, use_language

ROOT = Path(__file__).resolve().parent.parent
CODE = re.compile(r"^RBD-[A-Z]+-\d{3}$")


def sources() -> Iterator[Path]:
    for package in ("rbdtui", "screens"):
        yield from (ROOT / package).rglob("*.py")


@cache
def used() -> tuple[frozenset[str], frozenset[str]]:
    """Keys that the code names literally, and patterns of keys that it composes (``step.*.title``)."""
    keys: set[str] = set()
    patterns: set[str] = set()
    for file in sources():
        text = file.read_text(encoding="utf-8")
        for pattern in re.findall(r"# words: (\S+)", text):
            patterns.add(pattern)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.match(node.value):
                keys |= {f"finding.{node.value}.message", f"finding.{node.value}.remedy"}
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            first = node.args[0]
            if name == "T" and isinstance(first, ast.Constant):
                keys.add(str(first.value))
            elif name == "StepError" and isinstance(first, ast.Constant) and isinstance(first.value, str):
                keys |= {f"error.{first.value}.message", f"error.{first.value}.remedy"}
    return frozenset(keys), frozenset(patterns)


def places(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_the_code_names_is_in_the_catalogue(language: str) -> None:
    missing = sorted(used()[0] - catalogue(language).keys())
    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_unused(language: str) -> None:
    keys, patterns = used()
    globs = [re.compile("^" + re.escape(p).replace(r"\*", "[^.]+") + "$") for p in patterns]
    unused = sorted(k for k in catalogue(language) if k not in keys and not any(g.match(k) for g in globs))
    assert unused == []


def test_languages_have_the_same_keys_and_parameters() -> None:
    first, *others = (catalogue(language) for language in LANGUAGES)
    for other in others:
        assert first.keys() == other.keys()
        differing = sorted(key for key in first if places(first[key]) != places(other[key]))
        assert differing == []


def test_chinese_sentences_are_chinese() -> None:
    same = sorted(
        k
        for k, v in catalogue("zh").items()
        if re.search("[a-z]{4,} [a-z]{3,}", v) and not re.search("[\u4e00-\u9fff]", v)
    )
    assert same == []


def test_a_text_survives_json_and_speaks_both_languages() -> None:
    text = T("site.absent", path="/a", reason=T("site.no_spec", path="/b"))
    assert Text.from_json(text.to_json()) == text
    assert "/b" in say(text, "en")
    assert say(text, "zh") != say(text, "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_server_is_named_once_however_deep_its_error_is_told(language: str) -> None:
    lost = Text("finding.RBD-SSH-007.message", {"node": "gate1", "detail": "x"})
    through = Text("finding.RBD-SSH-010.message", {"node": "n1", "bastion": "gate1", "reason": lost})
    for key in ("certs.silent", "snapshots.silent", "failover.silent", "remove.silent", "question.step_failed_on"):
        said = say(Text(key, {"node": "n1", "reason": through}), language)
        assert (said.count("n1"), said.count("gate1")) == (1, 1), said
        assert not re.search(r"[.。][.。]", said), said
    other = say(T("certs.silent", node="n2", reason=lost), language)
    assert "n2" in other
    assert "gate1" in other


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_goes_wrong_with_a_server_begins_with_its_name(language: str) -> None:
    """So that whoever tells it needs no name of its own before it."""
    codes = {kind.code for kind in _all_below(TransportError)}
    sentences = {code: catalogue(language)[f"finding.{code}.message"] for code in codes}
    nameless = {code: text for code, text in sentences.items() if not re.match(r"\{node\}[:：]", text)}
    assert nameless.keys() <= {"RBD-SSH-017"}, "known_hosts is a file of this machine"


def _all_below(kind: type[TransportError]) -> Iterator[type[TransportError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _all_below(each)


COUNTS = (
    "addresses bad bricks changed count days disks done hours later lines members names nodes number refused replicas"
    " room rows seconds servers steps times"
)
"""Places that hold numbers; limits such as {least}, which are never 1, are not among them."""
NO_PLURAL = frozenset({"always", "as", "does", "ends", "has", "is", "its", "this", "was"})
SEVERAL = frozenset({"nodes.edits_marked", "nodes.not_shared"})
"""Sentences that are said only of several."""


def bare_plurals(template: str) -> list[str]:
    """Where a number stands beside the word for several, which would also be said of one."""
    counted = re.finditer(r"\{(\w+)(?::[^}|]*)?\}((?: (?!of)[a-z-]+){0,3})", template)
    return [
        match[0]
        for match in counted
        if re.search(rf"\b{match[1]}\b", COUNTS)
        and any(len(word) > 2 and word.endswith("s") and word not in NO_PLURAL for word in match[2].split())
    ]


def test_one_is_not_told_in_the_words_for_several() -> None:
    assert bare_plurals("{count} host keys") == ["{count} host keys"]
    assert bare_plurals("{count} host {count:key|keys}") == []
    found = {key: bare for key, text in catalogue("en").items() if key not in SEVERAL and (bare := bare_plurals(text))}
    assert found == {}


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 nodes"), (1, "1 node"), (2, "2 nodes"), (11, "11 nodes"), ("1", "1 node")]
)
def test_a_number_is_told_in_its_own_words(count: int | str, said: str) -> None:
    assert say(Text("shell.nodes", {"count": count}), "en") == said


def test_where_nothing_is_counted_the_words_are_those_for_several() -> None:
    assert as_listed("{count} {count:key is|keys are} {x:g}") == "{count} keys are {x:g}"


def test_a_field_is_named_by_its_key_in_a_file_and_by_its_label_on_a_form() -> None:
    finding = Finding("RBD-GATEWAY-003", Severity.ERROR)
    assert "`gateway.vip`" in say(finding.remedy)
    assert "`gateway.mode: none`" in say(finding.remedy)
    label, mode, none = (
        catalogue("en")[f"form.{key}"]
        for key in ("label.gateway_vip", "label.gateway_mode", "option.gateway_mode.none")
    )
    assert f"`{label}`" in say(finding.on_form().remedy)
    assert f"`{mode}: {none}`" in say(finding.on_form().remedy)
    assert "gateway." not in say(finding.on_form().remedy)
    assert catalogue("zh")["form.label.gateway_vip"] in say(finding.on_form().remedy, "zh")


def test_a_field_or_a_value_may_be_a_parameter() -> None:
    unused = Finding("RBD-GATEWAY-005", Severity.ERROR, params={"field": "gateway.vip", "mode": "none"})
    assert say(unused.message) == "`gateway.vip` is not used with `gateway.mode: none`."
    assert say(unused.on_form().message) == "`VIP` is not used with `Gateway address: none`."
    port = Finding("RBD-SPEC-005", Severity.ERROR, params={"field": "nodes[3].ssh.port", "low": 1, "high": 9})
    assert "`nodes[3].ssh.port`" in say(port.message)
    assert f"`{catalogue('en')['form.label.ssh_port']}`" in say(port.on_form().message)


KEYS_OF_NO_FORM = frozenset(
    {
        "RBD-ACK-002",  # the node of an entry of `acknowledged`
        "RBD-CHART-004",  # the name of a variable in the chart
        "RBD-EXISTING-102",  # the server in a kubeconfig
        "RBD-EXISTING-120",
        "RBD-SPEC-009",  # any key
        "RBD-API-030",  # the profile of RKE2
        "RBD-SEC-105",
    }
)
"""Findings with a key that is called as a field of a form is, but stands elsewhere."""


def keys_of_a_form(template: str) -> list[str]:
    """Where a sentence names a field of a form, or its value, by the key in the file alone."""
    labels = [key.removeprefix("form.label.") for key in catalogue("en") if key.startswith("form.label.")]
    named = re.finditer(r"`([a-z_.]+)(?::[^`]*)?`", template)
    bare = re.finditer(
        r"(?<![\w`./@{])((?:gateway|kubernetes|storage|registry|etcd|mysql|rainbond|ssh)\.[a-z_.]+)", template
    )
    return [match[0] for match in (*named, *bare) if any(_is_label(match[1], label) for label in labels)]


def _is_label(key: str, label: str) -> bool:
    key = key.rstrip(".").replace(".", "_")
    return label == key or (label.endswith(f"_{key}") and len(label.split("_")) - len(key.split("_")) <= 2)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_wrong_with_a_field_names_it_so_that_a_form_can_say_its_label(language: str) -> None:
    assert keys_of_a_form("Write `vip:`, or `mode: none` and gateway.address.") == [
        "`vip:`",
        "`mode: none`",
        "gateway.address.",
    ]
    found = {
        key: names
        for key, text in catalogue(language).items()
        if key.startswith("finding.")
        and not key.startswith(("finding.RBD-YAML-", "finding.RBD-AUDIT-"))
        and key.split(".")[1] not in KEYS_OF_NO_FORM
        and (names := keys_of_a_form(text))
    }
    assert found == {}


def test_every_field_that_is_named_has_a_label() -> None:
    named = {place for text in catalogue("en").values() for place in places(text) if place.startswith("@")}
    assert len(named) > 30
    paths = {place.removeprefix("@").partition("=")[0].replace(".", "_") for place in named}
    assert {path for path in paths if not path.startswith("$") and f"form.label.{path}" not in catalogue("en")} == set()


def test_an_unknown_key_is_shown_not_raised() -> None:
    assert say(Text("from.the.future", {"node": "n1"})) == "from.the.future node=n1"


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"RBDTUI_LANG": "zh", "LANG": "en_GB.UTF-8"}, "zh"),
        ({"RBDTUI_LANG": "xx", "LANG": "zh_TW.UTF-8"}, "zh"),
    ],
)
def test_language_of_environment(environment: dict[str, str], language: str) -> None:
    assert language_of_environment(environment) == language


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="xx"):
        use_language("xx")


def unwanted(column: int, separator: str) -> list[str]:
    """What the glossary says is never used, from one of its columns."""
    rows = (line.split("|") for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines())
    cells = [row[column].strip() for row in rows if len(row) > column]
    return [word.strip() for cell in cells[2:] for word in cell.split(separator) if word.strip()]


@pytest.mark.parametrize(("language", "column", "separator"), [("en", 4, ","), ("zh", 5, "、")])
def test_one_term_for_one_thing(language: str, column: int, separator: str) -> None:
    words = unwanted(column, separator)
    assert len(words) > 10
    boundary = r"\b" if language == "en" else ""
    forbidden = re.compile(boundary + f"(?:{'|'.join(map(re.escape, words))})" + boundary, re.IGNORECASE)
    texts = {key: re.sub(r"\{[^}]*\}", "", text) for key, text in catalogue(language).items()}
    found = {key: match[0] for key, text in texts.items() if (match := forbidden.search(text))}
    assert found == {}


def test_names_of_protocols_are_written_alike_at_the_head_of_health() -> None:
    heads = {key: text for key, text in catalogue("zh").items() if key.startswith("health_screen.column.")}
    assert any(text.isascii() for text in heads.values())
    assert {
        key: catalogue("en")[key] for key, text in heads.items() if text.isascii() and catalogue("en")[key] != text
    } == {}


def test_the_page_on_security_speaks_by_the_glossary() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    forbidden = "|".join(map(re.escape, unwanted(4, ",")))
    assert re.findall(rf"\b(?:{forbidden})\b", text, re.IGNORECASE) == []
