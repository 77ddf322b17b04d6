"""What RKE2 says while it starts: at which words waiting ends, which must last, and when restarts are too many."""

from __future__ import annotations

import time

import pytest

from rbdtui.errors import StepError
from rbdtui.plan.steps.rke2_words import KEPT_LINES, LINE_LIMIT, Progress, Watch, recognise

STAMP = 'time="2026-08-01T10:00:00Z" level='
NOT_YET = 'level=info msg="Waiting to retrieve agent configuration; server is not ready: '
UNREACHED = 'failed to get CA certs: Get \\"https://10.0.0.100:9345/cacerts\\": dial tcp 10.0.0.100:9345: connect: '


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('fatal msg="token CA hash does not match the Cluster CA certificate hash: 12 != 34"', "rke2_token"),
        ('fatal msg="starting kubernetes: failed to normalize server token; must be in format K10"', "rke2_token"),
        ('fatal msg="Error: preparing server: failed to bootstrap cluster data: failed to reconcile with local '
         'datastore: bootstrap data already found and encrypted with different token"', "rke2_token"),
        ('fatal msg="failed to reconcile with local datastore: no bootstrap data found in datastore - check server '
         'token value and verify datastore integrity"', "rke2_token"),
        ('fatal msg="preparing server: failed to get runtime image index.docker.io/rancher/rke2-runtime:v1"',
         "rke2_images_missing"),
        ('error msg="Error encountered while importing /var/lib/rancher/rke2/agent/images/rke2-images.linux-amd64'
         '.tar.zst: unexpected EOF"', "rke2_images_damaged"),
        ('error msg="Error encountered while importing /var/lib/rancher/rke2/agent/images/rke2.txt: failed"', ""),
        ('warning msg="Unknown flag --no-such-key found in config.yaml, skipping\\n"', "rke2_unknown_setting"),
        ('fatal msg="failed to validate server configuration: critical configuration value mismatch between servers"',
         "rke2_settings_differ"),
        ('error msg="critical configuration mismatched: ClusterCIDR"', "rke2_settings_differ"),
        ('fatal msg="listen tcp :9345: bind: address already in use"', "rke2_port_taken"),
        ('info msg="Waiting to retrieve agent configuration; server is not ready: Node password rejected, duplicate '
         "hostname or contents of '/etc/rancher/node/password' may not match\"", "rke2_name_taken"),
        ('fatal msg="etcd cluster join failed: duplicate node name found, please use a unique name for this node"',
         "rke2_name_taken"),
        ('fatal msg="starting kubernetes: failed to validate server configuration: not authorized"', ""),
        ('fatal msg="flag provided but not defined: -nonsense"', ""),
        ('info msg="Waiting for API server to become available"', ""),
        ('error msg="https://127.0.0.1:9345/v1-rke2/readyz: 500 Internal Server Error"', ""),
        ('info msg="Waiting for other members to finish joining etcd cluster: etcdserver: too many learner"', ""),
    ],
)  # fmt: skip
def test_words_after_which_waiting_is_in_vain(line: str, key: str) -> None:
    said = recognise([STAMP + "info msg=Before", STAMP + line, STAMP + "info msg=After"], server=True)
    assert (said.key if said is not None else "") == key
    assert said is None or said.line == STAMP + line


def test_a_key_of_servers_is_no_mistake_on_an_agent() -> None:
    assert (
        recognise([STAMP + 'warning msg="Unknown flag --cni found in config.yaml, skipping\\n"'], server=False) is None
    )


def test_what_is_shown_ends_with_the_line_that_tells() -> None:
    watch = Watch("n1", 0)
    unknown = STAMP + 'warning msg="Unknown flag --disabel found in config.yaml, skipping\\n"'
    with pytest.raises(StepError) as caught:
        watch.take(progress("active", 0, STAMP + "info msg=Before", unknown, STAMP + "info msg=After"))
    assert caught.value.evidence.splitlines()[-1] == unknown
    assert "the setting --disabel" in str(caught.value)


class Clock:
    """A clock that the test turns on."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def progress(active: str, restarts: int, *lines: str) -> Progress:
    return Progress(active, restarts, supervisor=False, api=False, cursor="", lines=lines)


def given_up(watch: Watch, clock: Clock, *looks: Progress, every_s: float = 5.0) -> tuple[str, float]:
    """The error with which waiting ends, and after how many seconds; empty when it does not."""
    begin = clock.now_s
    for look in looks:
        clock.now_s += every_s
        try:
            watch.take(look)
        except StepError as error:
            return f"{error.code} on {error.params['node']}", clock.now_s - begin
    return "", clock.now_s - begin


LASTING = {
    "rke2_token": [
        STAMP + 'fatal msg="starting kubernetes: preparing server: failed to validate server configuration: '
        'not authorized"',
        STAMP + NOT_YET + 'failed to retrieve configuration from server: not authorized"',
        STAMP + 'error msg="https://127.0.0.1:6444/v1-rke2/serving-kubelet.crt: 401 Unauthorized"',
    ],
    "rke2_kubelet_ends": [STAMP + 'error msg="Kubelet exited: exit status 1"'],
    "rke2_etcd_data": [STAMP + 'fatal msg="Failed to reconcile with temporary etcd: no database"'],
}


@pytest.mark.parametrize(("key", "line"), [(key, line) for key, lines in LASTING.items() for line in lines])
def test_what_may_pass_must_last(key: str, line: str) -> None:
    clock = Clock()
    said, after_s = given_up(Watch("n1", 0, clock=clock), clock, *[progress("activating", 0, line)] * 30)
    assert said == f"{key} on n1"
    assert 30.0 <= after_s <= 70.0


@pytest.mark.parametrize("line", [line for lines in LASTING.values() for line in lines])
def test_what_passes_is_waited_for(line: str) -> None:
    clock = Clock()
    watch = Watch("n1", 0, clock=clock)
    once = [progress("activating", 0, line)] + [progress("activating", 0, "going on")] * 20
    assert given_up(watch, clock, *once, *once, *once)[0] == ""


def restarting(line: str, count: int) -> list[Progress]:
    """A unit that ends with a line and is started again, once in every look."""
    return [progress("activating", number, line) for number in range(count)]


@pytest.mark.parametrize("before", [0, 9])
def test_a_program_that_keeps_ending_for_minutes_is_given_up(before: int) -> None:
    clock = Clock()
    watch = Watch("n1", before, clock=clock)
    said, after_s = given_up(watch, clock, *restarting(STAMP + 'fatal msg="broken"', 200))
    assert said == "rke2_keeps_failing on n1"
    assert 300.0 <= after_s <= 320.0
    assert "broken" in watch.evidence


@pytest.mark.parametrize(
    "words", ["connection refused", "i/o timeout", "no route to host", "connect: network is unreachable"]
)
def test_a_server_that_finds_nobody_to_join_yet_is_waited_for(words: str) -> None:
    clock = Clock()
    line = f'{STAMP}fatal msg="starting kubernetes: preparing server: {UNREACHED}{words}"'
    assert given_up(Watch("n1", 0, clock=clock), clock, *restarting(line, 200))[0] == ""


def test_a_trouble_that_comes_and_goes_is_not_added_up_over_one_of_the_network() -> None:
    clock = Clock()
    broken, alone = STAMP + 'fatal msg="broken"', f"{STAMP}fatal msg={UNREACHED}connection refused"
    looks = [progress("activating", number, alone if number % 40 == 39 else broken) for number in range(200)]
    assert given_up(Watch("n1", 0, clock=clock), clock, *looks)[0] == ""


@pytest.mark.parametrize("active", ["failed", "inactive"])
def test_a_unit_that_nobody_starts_again_is_given_up(active: str) -> None:
    clock = Clock()
    said = given_up(Watch("n1", 0, clock=clock), clock, *[progress(active, 0, "broken")] * 10, every_s=1.0)
    assert said == ("rke2_keeps_failing on n1", 10.0)


def test_a_unit_that_is_about_to_start_is_given_time() -> None:
    clock = Clock()
    looks = [progress(active, 3) for active in ("inactive", "activating", "active")] * 5
    assert given_up(Watch("n1", 3, clock=clock), clock, *looks)[0] == ""


@pytest.mark.parametrize(
    "piece",
    [
        "/v1-rke2/",
        "Error encountered while importing a.",
        "Unknown flag --",
        ": not authorized",
        "token CA hash ",
        "\0",
    ],
)
def test_a_long_line_costs_no_time_and_little_room(piece: str) -> None:
    line = piece * (4_000_000 // len(piece))
    watch = Watch("n1", 0)
    begin = time.process_time()
    for _ in range(KEPT_LINES):
        watch.take(progress("activating", 0, line))
    assert time.process_time() - begin < 2.0
    assert len(watch.evidence) <= KEPT_LINES * (LINE_LIMIT + 1)
