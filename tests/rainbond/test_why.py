"""Each class of causes from the objects that show it, and what a container's last lines add."""

from __future__ import annotations

import pytest

from rbdtui.masking import mask
from rbdtui.rainbond.why import Cause, CauseKind, why, with_log
from rbdtui.rainbond.workloads import Seen, judge
from rbdtui.redact import MARK
from rbdtui.words import LANGUAGES, say
from tests.rainbond.objects import Json, event, node, pod, seen, workload
from tests.rainbond.test_workloads import API, GATEWAY, MINIO, Part

ONE_API = Part("rbd-api", "Deployment")
UNREADY = workload("Deployment", "rbd-api", ready=0)
NAME = "rbd-api-5d9c7-node1"


def look(*pods: Json, **lists: list[Json]) -> Seen:
    return seen(Deployment=[UNREADY], Pod=list(pods), **lists)


def waiting(reason: str, message: str = "") -> Json:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


CLAIM = [{"persistentVolumeClaim": {"claimName": "minio-data-minio-0"}}]
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient memory."}
PENDING: Json = {
    "metadata": {"name": "minio-data-minio-0"},
    "spec": {"storageClassName": "local-path"},
    "status": {"phase": "Pending"},
}
CRASHED: Json = {
    "restartCount": 4,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}},
}
KILLED: Json = {"restartCount": 1, "lastState": {"terminated": {"exitCode": 137, "reason": "Error"}}}
DATABASE_WAITS: Json = {
    "metadata": {"name": "rbd-app-ui"},
    "status": {
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "PrerequisitesFailed",
                "message": "no ready replicas for rbdcomponent rbd-db",
            }
        ]
    },
}
FORBIDDEN: Json = {
    "metadata": {"name": "minio"},
    "status": {"conditions": [{"type": "Ready", "reason": "ErrCreateResources", "message": "spec: Forbidden"}]},
}
NFS_SILENT = "mount failed: exit status 32\nMounting arguments: -t nfs nas.lan:/data /v\nOutput: mount.nfs: timed out"
NO_DIRECTORY = (
    'MountVolume.SetUp failed for volume "rundir" : hostPath type check failed: /run/containerd is not a directory'
)
HUNG_OPERATOR = pod("rainbond-operator", ready=False, container=waiting("ContainerCreating"))


@pytest.mark.parametrize(
    ("part", "there", "kind", "told"),
    [
        (
            MINIO,
            seen(
                StatefulSet=[workload("StatefulSet", "minio", ready=0)],
                Pod=[pod("minio", "", owner="StatefulSet", ready=False, volumes=CLAIM, conditions=[UNSCHEDULED])],
                PersistentVolumeClaim=[PENDING],
                Event=[event("minio-data-minio-0", "ProvisioningFailed", 'storageclass "local-path" not found')],
            ),
            CauseKind.STORAGE_PVC_PENDING,
            'storageclass "local-path" not found',
        ),
        (
            ONE_API,
            look(pod("rbd-api", "", ready=False, conditions=[UNSCHEDULED])),
            CauseKind.NO_PLACE,
            "Insufficient memory",
        ),
        (
            ONE_API,
            look(pod("rbd-api", ready=False), Node=[node("node1", ready=False)]),
            CauseKind.NODE_NOT_READY,
            "node1",
        ),
        (
            ONE_API,
            look(pod("rbd-api", ready=False, container={**waiting("ImagePullBackOff"), "image": "x/rbd-api:v6.2.1"})),
            CauseKind.IMAGE_PULL_FAILED,
            "x/rbd-api:v6.2.1",
        ),
        (ONE_API, look(pod("rbd-api", ready=False, container=CRASHED)), CauseKind.CONTAINER_BACKOFF, "4 restarts"),
        (ONE_API, look(pod("rbd-api", ready=False, container=KILLED)), CauseKind.CONTAINER_BACKOFF, "exit 137"),
        (
            ONE_API,
            look(pod("rbd-api", ready=False), Event=[event(NAME, "Unhealthy", "Startup probe failed: refused")]),
            CauseKind.STARTUP_PROBE_FAILED,
            "refused",
        ),
        (
            ONE_API,
            look(pod("rbd-api", ready=False), Event=[event(NAME, "Unhealthy", "Readiness probe failed: HTTP 500")]),
            CauseKind.READINESS_PROBE_FAILED,
            "HTTP 500",
        ),
        (ONE_API, look(pod("rbd-api", ready=False)), CauseKind.STARTING, "rbd-api"),
        (
            ONE_API,
            look(
                pod("rbd-api", ready=False, container=waiting("ContainerCreating")),
                Event=[event(NAME, "FailedMount", NO_DIRECTORY)],
            ),
            CauseKind.MOUNT_FAILED,
            "not a directory",
        ),
        (
            ONE_API,
            look(
                pod("rbd-api", ready=False, container=waiting("ContainerCreating")),
                Event=[event(NAME, "FailedMount", NFS_SILENT)],
            ),
            CauseKind.NFS_MOUNT_FAILED,
            "timed out",
        ),
        (
            Part("rbd-app-ui", "Deployment"),
            seen(RbdComponent=[DATABASE_WAITS]),
            CauseKind.DATABASE_NOT_READY,
            "rbd-db",
        ),
        (MINIO, seen(RbdComponent=[FORBIDDEN]), CauseKind.NOT_CREATED, "spec: Forbidden"),
        (
            ONE_API,
            seen(Deployment=[workload("Deployment", "rainbond-operator", ready=0)], Pod=[HUNG_OPERATOR]),
            CauseKind.OPERATOR_NOT_READY,
            "operator",
        ),
        (
            ONE_API,
            seen(
                Deployment=[workload("Deployment", "rainbond-operator", ready=0)],
                Pod=[HUNG_OPERATOR],
                Event=[event("rainbond-operator-5d9c7-node1", "FailedMount", NO_DIRECTORY)],
            ),
            CauseKind.MOUNT_FAILED,
            "/run/containerd is not a directory",
        ),
        (
            GATEWAY,
            seen(
                Deployment=[workload("Deployment", "rbd-gateway", wanted=2)],
                Pod=[pod("rbd-gateway", "node1"), pod("rbd-gateway", "node3")],
            ),
            CauseKind.WRONG_NODES,
            "node1, node3 / node1, node2",
        ),
        (
            ONE_API,
            look(Event=[event("rbd-api-5d9c7", "FailedCreate", "exceeded quota")]),
            CauseKind.NOT_CREATED,
            "exceeded quota",
        ),
    ],
)
def test_each_class_is_told_by_what_shows_it(part: Part, there: Seen, kind: CauseKind, told: str) -> None:
    (cause,) = why(judge(part, there), there)
    assert cause.kind is kind
    for language in LANGUAGES:
        assert told in say(cause.text, language)
        assert say(cause.remedy, language)


def test_every_class_has_its_sentences() -> None:
    for kind in CauseKind:
        for language in LANGUAGES:
            cause = Cause(kind, "rbd-api", "pod-1", "api", "node1", "a reason")
            assert "rbd-api" in say(cause.text, language)
            assert "rainbond.why" not in say(cause.remedy, language)


def test_what_is_ready_has_no_cause_and_each_class_is_told_once() -> None:
    both = [pod("rbd-api", name, ready=False, container=CRASHED) for name in ("node1", "node2")]
    there = seen(Deployment=[workload("Deployment", "rbd-api", wanted=2, ready=0)], Pod=both)
    assert [cause.kind for cause in why(judge(API, there), there)] == [CauseKind.CONTAINER_BACKOFF]
    good = seen(Deployment=[workload("Deployment", "rbd-api", wanted=2)])
    assert why(judge(API, good), good) == []


@pytest.mark.parametrize(
    "line",
    [
        "get db manager failed, try time is 10,dial tcp 198.51.100.20:3306: connect: connection refused",
        "failed to connect to database: Error 1045",
        "ERROR: Database not ready, will waiting",
    ],
)
def test_a_dead_database_is_known_by_what_components_say(line: str) -> None:
    cause = with_log(Cause(CauseKind.STARTING, "rbd-api", "p", "rbd-api"), f"begin\n{line}\n")
    assert (cause.kind, cause.detail) == (CauseKind.DATABASE_NOT_READY, line)


def test_last_lines_are_told_and_a_log_that_is_not_to_be_had_is_said() -> None:
    crashed = Cause(CauseKind.CONTAINER_BACKOFF, "rbd-chaos", "p", "rbd-chaos", detail="exit 2")
    assert with_log(crashed, "1\n2\n3\n4\n5\npanic: no socket\n").detail.endswith("5\npanic: no socket")
    assert with_log(crashed, None) == crashed
    trace = "panic: no socket\n\ngoroutine 1 [running]:\nmain.chaosMain()\n\tlab/serve.go:112 +0x14a\nmain.main()\n"
    assert with_log(crashed, trace).detail.splitlines()[-1] == "panic: no socket"
    started = Cause(CauseKind.STARTING, "rbd-chaos", "p", "rbd-chaos")
    assert with_log(started, None).kind is CauseKind.LOG_COLLECT_FAILED


@pytest.mark.parametrize(
    ("written", "secret"),
    [
        ("login insecure repository goodrain.me with username admin and password admin1234", "admin1234"),
        ("--mysql=rbd:s3cr-et!@tcp(198.51.100.20:3306)/region", "s3cr-et!"),
        ('{"name": "MYSQL_PASS", "value": "s3cret"}', "s3cret"),
        ("mysql -uroot -ps3cret -e SELECT", "s3cret"),
        ("MYSQL_PASS=s3cret", "s3cret"),
        ('password: "s3cret"', "s3cret"),
    ],
)
def test_passwords_that_rainbond_writes_are_masked(written: str, secret: str) -> None:
    assert secret not in mask(written)
    assert MARK in mask(written)


CONSOLE = Part("rbd-app-ui", "Deployment", 1)
OPERATOR = pod("rainbond-operator")


def test_what_waits_for_the_package_names_its_stage() -> None:
    ready = {"type": "Ready", "status": "False", "reason": "PrerequisitesFailed"}
    waits = {
        "metadata": {"name": "rbd-api"},
        "status": {"conditions": [{**ready, "message": "failed to check prerequisites"}]},
    }
    stages = [
        {"type": "Init", "status": "Completed"},
        {"type": "PushImage", "status": "Failed", "message": "no socket"},
    ]
    package = {"metadata": {"name": "rainbondpackage"}, "status": {"conditions": stages}}
    there = seen(Pod=[OPERATOR], RbdComponent=[waits], RainbondPackage=[package])
    (cause,) = why(judge(API, there), there)
    assert cause.kind is CauseKind.NOT_CREATED
    assert cause.detail.endswith("failed to check prerequisites; RainbondPackage: PushImage Failed no socket")


def test_a_console_of_5_17_waits_for_its_migrations() -> None:
    migrating = pod("rbd-app-ui-migrations", owner="Job", ready=False)
    there = seen(Pod=[OPERATOR, migrating])
    (cause,) = why(judge(CONSOLE, there), there)
    assert (cause.kind, cause.pod, cause.wants_log) == (CauseKind.STARTING, migrating["metadata"]["name"], True)
    migrating["status"]["phase"] = "Succeeded"
    (cause,) = why(judge(CONSOLE, there), there)
    assert cause.kind is CauseKind.NOT_CREATED
