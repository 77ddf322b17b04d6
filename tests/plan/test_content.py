"""Contents of files: secrets reach the host and nobody else."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable

import pytest

from rbdtui.plan.content import Content, SecretRef, diff, fill, plain
from tests.growth import grows_no_faster_than_it_should, nasty_texts

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
        pytest.param(b"token: canary-token\nname: n0\n", ["-(hidden)", "+name: n1"], ["+token"], id="same secret"),
        pytest.param(
            b"token: elder\nname: n1\n", ["-(hidden)", "+token: secret:token", " name: n1"], [], id="other secret"
        ),
        pytest.param(b"\tauth_pass elder\n", ["-(hidden)"], [], id="somebody else's keepalived.conf"),
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


OLD_SECRETS = {
    "plain": "password: elder-1",
    "quoted key": '"password": "elder-1"',
    "flow": "auth: {username: u, password: elder-1, token: 'elder-2'}",
    "folded": "password: >-\n  elder-1\n  elder-2",
    "literal": "key: |\n  elder-1",
    "next line": "password:\n    elder-1",
    "url": "datastore-endpoint: mysql://rke:elder-1@tcp(10.0.0.1:3306)/k3s",
    "other words": "etcd-s3-access-key: elder-1\netcd-s3-secret-key: elder-2",
    "keepalived": "authentication {\n  auth_type PASS\n  auth_pass elder-1\n}",
    "comment": "# was: elder-1",
    "upper case": "TOKEN=elder-1",
    "no utf-8": "password: \u00e9lder elder-1",
}


@pytest.mark.parametrize("old", OLD_SECRETS.values(), ids=OLD_SECRETS)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_nothing_of_what_was_private_is_shown(old: str, newline: str) -> None:
    before = (f"name: n1\n{old}\nlast: elder-3\n").replace("\n", newline).encode("latin-1")
    secret = filled("name: $name\npassword: $token\n", name="n1", token=SecretRef("token"))
    for shown in (diff("/etc/x", before, secret), diff("/etc/x", before, plain("name: n1\n"), private=True)):
        assert "elder" not in shown
        assert " name: n1" in shown.splitlines()
        assert "-(hidden)" in shown.splitlines()


def test_a_diff_reads_like_those_of_others() -> None:
    before = [f"line {n}" for n in range(60)]
    for change in (slice(0, 0), slice(59, 60), slice(20, 23), slice(0, 60), slice(3, 50)):
        after = [*before[: change.start], "new", *before[change.stop :]]
        theirs = list(difflib.unified_diff(before, after, "/etc/x", "/etc/x", n=2, lineterm=""))
        assert diff("/etc/x", "\n".join(before).encode(), plain("\n".join(after))).splitlines() == theirs
    assert diff("/etc/x", None, plain("a\n")).splitlines() == ["--- /dev/null", "+++ /etc/x", "@@ -0,0 +1 @@", "+a"]


def test_what_would_cost_too_much_is_told_by_its_size() -> None:
    names = [f"#{n % 101}" for n in range(500_000)]
    before = "\n".join(names).encode()
    assert diff("/etc/hosts", before, plain("a\nb\n")) == f"--- /etc/hosts {len(before)} B\n+++ /etc/hosts 4 B"
    block = "\n".join(["# BEGIN", "# END", *names])
    assert diff("/etc/hosts", before, plain(block)).splitlines()[2:5] == ["@@ -1,2 +1,4 @@", "+# BEGIN", "+# END"]


def test_a_long_line_is_cut() -> None:
    shown = diff("/etc/x", b"y" * 50_000, plain("x" * 50_000))
    assert "-" + "y" * 999 in shown.splitlines()
    assert max(map(len, shown.splitlines())) == 1000


@pytest.mark.parametrize("private", [False, True])
def test_a_diff_costs_next_to_nothing_whatever_a_host_has(private: bool) -> None:
    """The most that is compared at all, of lines that all look alike: bounded, so that nothing else has to wait."""
    worst_s = 0.0
    for many, few in ((200, 199), (250, 160), (2000, 20), (20, 2000)):
        for one, other in (("x", "y"), ("token", "password: x")):
            before = "\n".join([one] * many)
            after = plain("\n".join([other, one] * (few // 2)))
            began = time.thread_time()
            diff("/etc/x", before.encode(), after, private=private)
            worst_s = max(worst_s, time.thread_time() - began)
    assert worst_s < 1


@pytest.mark.parametrize("text_of", nasty_texts())
def test_the_cost_of_a_diff_does_not_grow_faster_than_the_file(text_of: Callable[[int], str]) -> None:
    for after in (plain("a\nb\n"), filled("token: $token\n", token=SecretRef("token"))):
        grows_no_faster_than_it_should(lambda text, after=after: diff("/etc/x", text.encode(), after), text_of, 60_000)  # type: ignore[misc]
