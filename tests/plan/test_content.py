"""Contents of files: secrets reach the host and nobody else."""

from __future__ import annotations

import pytest

from rbdtui.plan.content import Content, SecretRef, diff, fill, masked, plain

SECRETS = {"token": "canary-token"}


def filled(template: str, **values: str | SecretRef) -> Content:
    return fill(template, values, SECRETS.__getitem__)


def test_a_secret_is_written_but_never_shown() -> None:
    content = filled("name: $name\ntoken: $token\n", name="n1", token=SecretRef("token"))
    assert content.actual == b"name: n1\ntoken: canary-token\n"
    assert content.shown == "name: n1\ntoken: secret:token\n"
    assert "canary" not in repr(content)


def test_a_place_that_nobody_fills_is_an_error() -> None:
    with pytest.raises(KeyError):
        filled("$nobody")


@pytest.mark.parametrize(
    ("before", "shown", "hidden"),
    [
        pytest.param(None, ["+token: secret:token", "+name: n1"], [], id="new file"),
        pytest.param(b"token: canary-token\nname: n0\n", ["-name: n0", "+name: n1"], ["+token"], id="same secret"),
        pytest.param(b"token: elder\nname: n1\n", ["-token: (hidden)", "+token: secret:token"], [], id="other secret"),
        pytest.param(b"\tauth_pass elder\n", ["-\tauth_pass (hidden)"], [], id="somebody else's keepalived.conf"),
        pytest.param(b"token: canary-token\nname: n1\n", [], ["+", "-"], id="no difference"),
    ],
)
def test_a_diff_shows_what_changes_and_no_secret(before: bytes | None, shown: list[str], hidden: list[str]) -> None:
    after = filled("token: $token\nname: $name\n", name="n1", token=SecretRef("token"))
    lines = diff("/etc/x", before, after).splitlines()
    assert [line for line in shown if line not in lines] == []
    assert [line for line in lines for start in hidden if line.startswith(start)] == []
    assert not any("canary" in line or "elder" in line for line in lines)


def test_a_diff_of_a_file_without_secrets_hides_nothing() -> None:
    assert "-password policy: strict" in diff("/etc/x", b"password policy: strict\n", plain("other\n")).splitlines()


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("auth_pass 1111", "auth_pass (hidden)"),
        ("  token: abc", "  token: (hidden)"),
        ("agent-token: abc", "agent-token: (hidden)"),
        ("password = x y z", "password = (hidden)"),
        ("auth_type PASS", "auth_type PASS"),
        ("node-name: n1", "node-name: n1"),
        ("# a comment", "# a comment"),
    ],
)
def test_secret_looking_lines_are_masked(line: str, seen: str) -> None:
    assert masked(line) == seen
