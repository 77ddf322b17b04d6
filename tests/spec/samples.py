"""Specs that the tests of this part change in one place."""

from __future__ import annotations

import re
from dataclasses import replace

from rbdtui.findings import Finding, Severity
from rbdtui.profiles import PROFILES, Profile
from rbdtui.spec.loader import LoadedSpec, parse_spec
from rbdtui.spec.rules import check_rules
from rbdtui.words import LANGUAGES, say

GOOD = """\
apiVersion: rbdtui/v1
name: site-a
profile: kubernetes-only
bundle: /data/offline-packages
ssh:
  user: ops
  port: 22
  sudo_password: secret:sudo
nodes:
  - name: node1
    address: 10.0.0.11
    roles: [control-plane, etcd, worker, gateway]
  - name: node2
    address: 10.0.0.12
    roles: [control-plane, etcd, worker, gateway]
  - name: node3
    address: 10.0.0.13
    roles: [control-plane, etcd, worker]
kubernetes:
  api: {mode: vip}
  pod_cidr: 10.42.0.0/16
  service_cidr: 10.43.0.0/16
gateway:
  mode: keepalived
  vip: 10.0.0.100/24
  virtual_router_id: 87
  unicast: true
"""


def changed(*replacements: tuple[str, str]) -> str:
    """GOOD with pieces replaced; each must be there exactly once."""
    text = GOOD
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def judged(text: str) -> list[Finding]:
    """All findings of loader and rules on a text."""
    loaded = parse_spec(text)
    if loaded.spec is None:
        return list(loaded.findings)
    return [*loaded.findings, *check_rules(loaded.spec, loaded.place)]


def codes(text: str) -> list[str]:
    """Their codes."""
    return [finding.code for finding in judged(text)]


def in_part(name: str) -> tuple[Profile, ...]:
    """All profiles, of which one is installed in part only."""
    return tuple(replace(each, is_complete=each.is_complete and each.name != name) for each in PROFILES)


def loaded_good(*replacements: tuple[str, str]) -> LoadedSpec:
    """The loaded spec of a changed GOOD that has the right shape."""
    loaded = parse_spec(changed(*replacements))
    assert loaded.spec is not None, loaded.findings
    return loaded


def by_code(text: str, code: str) -> list[Finding]:
    """The findings of a code, whose sentences are whole in every language."""
    findings = [finding for finding in judged(text) if finding.code == code]
    for finding in findings:
        for language in LANGUAGES:
            for part in (finding.message, finding.remedy):
                sentence = say(part, language)
                assert not sentence.startswith("finding.")
                assert not re.search(r"\{[a-z_]+\}", sentence), sentence
    return findings


def assert_found(code: str, severity: str, replacements: list[tuple[str, str]], field: str, node: str) -> None:
    """A code is found where the good plan was changed, and at its place."""
    findings = by_code(changed(*replacements), code)
    assert findings, codes(changed(*replacements))
    assert findings[0].severity == Severity(severity)
    assert findings[0].place.field == field
    assert findings[0].place.node == node
    assert findings[0].place.line > 0
