"""SIMULATED: a helm for the demo's bundle, with helm v3.15's commands, words and records as far as the product goes."""

from __future__ import annotations

import argparse
import base64
import gzip
import http.client
import json
import os
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from rbdtui.simulator import chart_old
from rbdtui.simulator.chart import Chart, ChartError, Tree, manifest, plain, read_chart, read_manifest, render
from rbdtui.simulator.kubernetes.patches import merged

VERSION: Final = "v3.15.4"
_GIT: Final = "fa9efb07d9d8debbb4306d72af76a383895aa8c4"
_SECRET_TYPE: Final = "helm.sh/release.v1"  # noqa: S105 - a type's name
_PENDING: Final = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})
_PATHS: Final[Mapping[str, tuple[str, bool]]] = {
    "Namespace": ("/api/v1/namespaces", False),
    "ServiceAccount": ("/api/v1", True),
    "ConfigMap": ("/api/v1", True),
    "Secret": ("/api/v1", True),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", False),
    "Deployment": ("/apis/apps/v1", True),
    "RainbondPackage": ("/apis/rainbond.io/v1alpha1", True),
    "RainbondVolume": ("/apis/rainbond.io/v1alpha1", True),
    "RainbondCluster": ("/apis/rainbond.io/v1alpha1", True),
    "RbdComponent": ("/apis/rainbond.io/v1alpha1", True),
}


class HelmError(Exception):
    """Helm ends with 1; the words are its own."""


class ApiError(HelmError):
    """The API refuses something."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """The API that a kubeconfig leads to."""

    def __init__(self, path: str) -> None:
        try:
            config = yaml.safe_load(Path(path).read_text())
            cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        except (OSError, LookupError, TypeError, yaml.YAMLError) as error:
            raise HelmError(f"Kubernetes cluster unreachable: error loading config file: {error}") from None
        self._server = str(cluster["server"])
        context = ssl.create_default_context(cadata=_decoded(cluster["certificate-authority-data"]))
        name = str(cluster.get("tls-server-name", ""))
        if "client-certificate-data" in user:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
                # Simulated keys only: the module reads chains from files alone.
                file.write(_decoded(user["client-key-data"]) + _decoded(user["client-certificate-data"]))
                file.flush()
                context.load_cert_chain(file.name)
        parts = urlsplit(self._server)
        self._connection = _Connection(parts.hostname or "", parts.port or 443, context, name)

    def ask(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:
        """An answer in JSON; raises `ApiError`, or `HelmError` when nobody answers."""
        connection = self._connection
        content = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, content, {"Content-Type": content_type})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            words = f'Get "{self._server}/version": {error}'
            raise HelmError(f"Kubernetes cluster unreachable: {words}") from None
        if answer.status >= 400:
            raise ApiError(answer.status, _message(text))
        return json.loads(text)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def find(self, path: str) -> Any:
        """An object, or None."""
        try:
            return self.ask("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise


class _Connection(http.client.HTTPSConnection):
    """HTTPS that expects a certificate for another name than the address."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, name: str) -> None:
        super().__init__(host, port, context=context, timeout=30)
        self._tls_context, self._name = context, name or host

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls_context.wrap_socket(self.sock, server_hostname=self._name)


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, LookupError, TypeError):
        return text.decode("utf-8", "replace").strip()


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()


# --- releases ----------------------------------------------------------------------------------------------------


class Releases:
    """The records of one release, each a Secret."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client, self._namespace = client, namespace
        self._path = f"/api/v1/namespaces/{namespace}/secrets"

    def all(self, name: str = "") -> list[Tree]:
        """Oldest first."""
        query = "?labelSelector=owner%3Dhelm" + (f",name%3D{name}" if name else "")
        found = [_opened(item) for item in self._client.ask("GET", self._path + query)["items"]]
        return sorted(found, key=lambda each: (each["name"], each["version"]))

    def last(self, name: str) -> Tree:
        """The newest; raises `HelmError`."""
        found = self.all(name)
        if not found:
            raise HelmError("release: not found")
        return found[-1]

    def write(self, release: Tree) -> None:
        """Keep a record, or keep it anew."""
        name = f"sh.helm.release.v1.{release['name']}.v{release['version']}"
        packed = base64.b64encode(gzip.compress(json.dumps(release).encode())).decode()
        labels = {
            "name": release["name"], "owner": "helm", "status": release["info"]["status"],
            "version": str(release["version"]), "modifiedAt": str(int(time.time())),
        }  # fmt: skip
        body = {"metadata": {"name": name, "labels": labels}, "type": _SECRET_TYPE, "stringData": {"release": packed}}
        if self._client.find(f"{self._path}/{name}") is None:
            self._client.ask("POST", self._path, body)
        else:
            self._client.ask("PUT", f"{self._path}/{name}", body)

    def remove(self, name: str) -> None:
        """Forget all records."""
        for release in self.all(name):
            self._client.ask("DELETE", f"{self._path}/sh.helm.release.v1.{name}.v{release['version']}")


def _opened(secret: Tree) -> Tree:
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    release: Tree = json.loads(gzip.decompress(packed))
    return release


def _moment() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime())


def _client(options: argparse.Namespace) -> Client:
    """The client of a command, closed at its end."""
    options.client = Client(options.kubeconfig)
    return options.client  # type: ignore[no-any-return]


# --- commands ----------------------------------------------------------------------------------------------------


def _path_of(item: Tree) -> tuple[str, str]:
    """The collection of an object, and its own path."""
    base, namespaced = _PATHS[item["kind"]]
    if namespaced:
        base = f"{base}/namespaces/{item['metadata']['namespace']}/{item['kind'].lower()}s"
    return base, f"{base}/{item['metadata']['name']}"


def _values(options: argparse.Namespace, defaults: Tree) -> tuple[Tree, Tree]:
    """What was given, and that over the chart's own."""
    given: Tree = {}
    for name in options.values or []:
        text = sys.stdin.read() if name == "-" else _text(name)
        try:
            given = _laid_over(given, yaml.safe_load(text) or {})
        except yaml.YAMLError as error:
            raise HelmError(f"failed to parse {name}: error converting YAML to JSON: {error}") from None
    for pair in options.set or []:
        key, _, value = pair.partition("=")
        tree: Any = yaml.safe_load(value)
        for word in reversed(key.split(".")):
            tree = {word: tree}
        given = _laid_over(given, tree)
    return given, merged(defaults, given)


def _laid_over(base: Tree, over: Any) -> Tree:
    """Values over values as the release keeps them: a null stays one, by which a default is taken away."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _text(name: str) -> str:
    try:
        return Path(name).read_text()
    except OSError as error:
        raise HelmError(f"open {name}: {(error.strerror or '').lower()}") from None


def _rendered(chart: Chart, values: Tree, namespace: str) -> list[Tree]:
    """What the chart's templates make; raises `ChartError`."""
    of = chart_old.render if chart.about["name"] == chart_old.NAME else render
    return of(values, namespace)


def upgrade(options: argparse.Namespace) -> None:
    """``upgrade NAME CHART [--install]``, and ``install``."""
    chart = read_chart(Path(options.chart))
    given, values = _values(options, chart.values)
    client, namespace = _client(options), options.namespace
    client.ask("GET", "/version")
    releases = Releases(client, namespace)
    history = releases.all(options.name)
    last = history[-1] if history else None
    if last is not None and last["info"]["status"] in _PENDING:
        raise HelmError("UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress")
    if last is None and not options.install:
        raise HelmError(f'UPGRADE FAILED: "{options.name}" has no deployed releases')
    objects = [_marked(each, options.name, namespace) for each in _rendered(chart, values, namespace)]
    release = _release(options.name, namespace, chart.about, given, chart.values, manifest(objects), last)
    if last is None:
        _install(client, releases, release, chart.definitions, objects, create=options.create_namespace)
    else:
        _change(client, releases, release, last, history)
    release["info"] |= {"status": "deployed", "description": "Install complete" if last is None else "Upgrade complete"}
    releases.write(release)
    _show(options, release)


def _release(name: str, namespace: str, about: Tree, given: Tree, defaults: Tree, text: str, last: Tree | None) -> Tree:
    first = last["info"]["first_deployed"] if last else _moment()
    status, words = (
        ("pending-upgrade", "Preparing upgrade") if last else ("pending-install", "Initial install underway")
    )
    info = {
        "first_deployed": first, "last_deployed": _moment(), "deleted": "", "description": words, "status": status,
        "notes": "SIMULATED",
    }  # fmt: skip
    return {
        "name": name,
        "info": info,
        "chart": {"metadata": about, "values": defaults},
        "config": given,
        "manifest": text,
        "version": (last["version"] if last else 0) + 1,
        "namespace": namespace,
    }


def _marked(item: Tree, name: str, namespace: str) -> Tree:
    metadata = item["metadata"]
    labels = metadata.get("labels", {}) | {"app.kubernetes.io/managed-by": "Helm"}
    notes = {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace}
    return item | {"metadata": metadata | {"labels": labels, "annotations": notes}}


def _install(
    client: Client,
    releases: Releases,
    release: Tree,
    definitions: tuple[Tree, ...],
    objects: list[Tree],
    *,
    create: bool,
) -> None:
    namespace = release["namespace"]
    if client.find(f"/api/v1/namespaces/{namespace}") is None:
        if not create:
            raise HelmError(f'create: failed to create: namespaces "{namespace}" not found')
        client.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace, "labels": {"name": namespace}}})
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for definition in definitions:
        if client.find(f"{path}/{definition['metadata']['name']}") is None:
            client.ask("POST", path, definition)
    for item in objects:
        _refuse_foreign(client, item, "install")
    releases.write(release)
    _make(client, releases, release, objects, "INSTALLATION FAILED")


def _refuse_foreign(client: Client, item: Tree, word: str) -> None:
    """An object that is there already and not this release's; raises `HelmError`."""
    found = client.find(_path_of(item)[1])
    if found is None:
        return
    metadata, wanted = found["metadata"], item["metadata"]
    faults = []
    if metadata.get("labels", {}).get("app.kubernetes.io/managed-by") != "Helm":
        faults.append('label validation error: missing key "app.kubernetes.io/managed-by": must be set to "Helm"')
    for key, value in wanted["annotations"].items():
        if metadata.get("annotations", {}).get(key) != value:
            faults.append(f'annotation validation error: missing key "{key}": must be set to "{value}"')
    if faults:
        kind, name = item["kind"], wanted["name"]
        where = f'{kind} "{name}" in namespace "{wanted.get("namespace", "")}"'
        title = "UPGRADE FAILED: Unable" if word == "update" else "Unable"
        raise HelmError(
            f"{title} to continue with {word}: {where} exists and cannot be imported into the current release: "
            f"invalid ownership metadata; {'; '.join(faults)}"
        )


def _make(client: Client, releases: Releases, release: Tree, objects: list[Tree], title: str) -> None:
    try:
        for item in objects:
            collection, own = _path_of(item)
            if client.find(own) is None:
                client.ask("POST", collection, item)
    except ApiError as error:
        release["info"] |= {"status": "failed", "description": str(error)}
        releases.write(release)
        raise HelmError(f"{title}: {error}") from None


def _change(client: Client, releases: Releases, release: Tree, last: Tree, history: list[Tree]) -> None:
    """Carry over what differs between the texts of two releases; all else stays as somebody left it."""
    old = {_path_of(item)[1]: item for item in read_manifest(last["manifest"])}
    new = {_path_of(item)[1]: item for item in read_manifest(release["manifest"])}
    for path, item in new.items():
        if path not in old:
            _refuse_foreign(client, item, "update")
    releases.write(release)
    _make(client, releases, release, list(new.values()), "UPGRADE FAILED")
    for path, item in new.items():
        patch = difference(old[path], item) if path in old else {}
        if patch:
            client.ask("PATCH", path, patch, "application/merge-patch+json")
    for path in old.keys() - new.keys():
        if client.find(path) is not None:
            client.ask("DELETE", path)
    for each in history:
        if each["info"]["status"] == "deployed":
            each["info"]["status"] = "superseded"
            releases.write(each)


def difference(old: Any, new: Any) -> Any:
    """The merge patch that makes one tree of another; empty when they are the same."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch: Tree = dict.fromkeys(old.keys() - new.keys())
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif old[key] != value:
            patch[key] = difference(old[key], value)
    return patch


def rollback(options: argparse.Namespace) -> None:
    """``rollback NAME [REVISION]``."""
    client = _client(options)
    releases = Releases(client, options.namespace)
    history = releases.all(options.name)
    last = releases.last(options.name)
    number = int(options.revision or 0) or last["version"] - 1
    wanted = next((each for each in history if each["version"] == number), None)
    if wanted is None:
        raise HelmError(f"release: not found: revision {number}")
    release = wanted | {"version": last["version"] + 1, "info": dict(wanted["info"])}
    release["info"] |= {"status": "pending-rollback", "last_deployed": _moment()}
    _change(client, releases, release, last, [*history, last])
    if last["info"]["status"] in _PENDING:
        last["info"]["status"] = "superseded"
        releases.write(last)
    release["info"] |= {"status": "deployed", "description": f"Rollback to {number}"}
    releases.write(release)
    _say("Rollback was a success! Happy Helming!")


def uninstall(options: argparse.Namespace) -> None:
    """``uninstall NAME``."""
    client = _client(options)
    releases = Releases(client, options.namespace)
    if not releases.all(options.name):
        if options.ignore_not_found:
            return
        raise HelmError(f"uninstall: Release not loaded: {options.name}: release: not found")
    for item in reversed(read_manifest(releases.last(options.name)["manifest"])):
        path = _path_of(item)[1]
        if client.find(path) is not None:
            client.ask("DELETE", path)
    releases.remove(options.name)
    _say(f'release "{options.name}" uninstalled')


def status(options: argparse.Namespace) -> None:
    """``status NAME``."""
    _show(options, Releases(_client(options), options.namespace).last(options.name))


def _show(options: argparse.Namespace, release: Tree) -> None:
    if options.output == "json":
        _say(plain({key: value for key, value in release.items() if key != "chart"}))
        return
    info = release["info"]
    words = {
        "NAME": release["name"], "LAST DEPLOYED": info["last_deployed"], "NAMESPACE": release["namespace"],
        "STATUS": info["status"], "REVISION": release["version"], "NOTES": f"\n{info['notes']}",
    }  # fmt: skip
    _say("\n".join(f"{key}: {value}" for key, value in words.items()))


def _row(release: Tree) -> Tree:
    about, info = release["chart"]["metadata"], release["info"]
    chart = f"{about['name']}-{about['version']}"
    return {"updated": info["last_deployed"], "status": info["status"], "chart": chart} | {
        "app_version": about.get("appVersion", "")
    }


def history(options: argparse.Namespace) -> None:
    """``history NAME``."""
    releases = Releases(_client(options), options.namespace)
    releases.last(options.name)
    rows = [
        {"revision": each["version"], **_row(each), "description": each["info"]["description"]}
        for each in releases.all(options.name)
    ]
    _say_rows(options, rows)


def list_releases(options: argparse.Namespace) -> None:
    """``list``."""
    releases = Releases(_client(options), options.namespace)
    newest = {each["name"]: each for each in releases.all()}
    shown = {"deployed", "failed"} if not options.all else None
    rows = [
        {"name": name, "namespace": each["namespace"], "revision": str(each["version"]), **_row(each)}
        for name, each in newest.items()
        if shown is None or each["info"]["status"] in shown
    ]
    _say_rows(options, rows)


def _say_rows(options: argparse.Namespace, rows: list[Tree]) -> None:
    if options.output == "json":
        _say(plain(rows))
        return
    for row in rows:
        _say("\t".join(str(value) for value in row.values()))


def get(options: argparse.Namespace) -> None:
    """``get values NAME`` and ``get manifest NAME``."""
    release = Releases(_client(options), options.namespace).last(options.name)
    if options.what == "manifest":
        _say(release["manifest"])
        return
    values = merged(release["chart"]["values"], release["config"]) if options.all else release["config"]
    _say(plain(values) if options.output == "json" else yaml.safe_dump(values, sort_keys=False))


def show(options: argparse.Namespace) -> None:
    """``show values CHART`` and ``show chart CHART``."""
    chart = read_chart(Path(options.chart))
    _say(chart.text if options.what == "values" else yaml.safe_dump(chart.about, sort_keys=False))


def template(options: argparse.Namespace) -> None:
    """``template NAME CHART``."""
    chart = read_chart(Path(options.chart))
    objects = _rendered(chart, _values(options, chart.values)[1], options.namespace)
    definitions = list(chart.definitions) if options.include_crds else []
    _say(manifest([*definitions, *(_marked(each, options.name, options.namespace) for each in objects)]))


def version(options: argparse.Namespace) -> None:
    """``version``."""
    if options.template:
        _say(options.template.replace("{{.Version}}", VERSION).replace("{{ .Version }}", VERSION))
    elif options.short:
        _say(f"{VERSION}+g{_GIT[:7]}")
    else:
        words = f'Version:"{VERSION}", GitCommit:"{_GIT}", GitTreeState:"simulated", GoVersion:""'
        _say(f"version.BuildInfo{{{words}}}")


def _say(text: str) -> None:
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--kubeconfig", default=os.environ.get("KUBECONFIG", ""))
    common.add_argument("-n", "--namespace", default="default")
    common.add_argument("-o", "--output", default="table", choices=["table", "json", "yaml"])
    common.add_argument("--debug", action="store_true")
    parser = argparse.ArgumentParser(prog="helm", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, arguments in _COMMANDS.items():
        command = commands.add_parser(name, parents=[common])
        for words, more in arguments():
            command.add_argument(*words, **more)
    return parser


Arguments = Iterator[tuple[tuple[str, ...], dict[str, Any]]]


def _named() -> Arguments:
    yield ("name",), {}
    yield ("--revision",), {"type": int, "default": 0}
    yield ("--max",), {"type": int, "default": 256}


def _rolled_back() -> Arguments:
    yield ("name",), {}
    yield ("revision",), {"nargs": "?"}
    yield ("--timeout",), {}


def _installed() -> Arguments:
    yield ("name",), {}
    yield ("chart",), {}
    yield ("-f", "--values"), {"action": "append"}
    yield ("--set",), {"action": "append"}
    yield ("--timeout",), {}
    yield ("--history-max",), {"type": int, "default": 10}
    for switch in ("--install", "--create-namespace", "--reset-values", "--include-crds", "--force"):
        yield (switch,), {"action": "store_true"}


def _uninstalled() -> Arguments:
    yield ("name",), {}
    yield ("--timeout",), {}
    for switch in ("--ignore-not-found", "--no-hooks", "--keep-history", "--wait"):
        yield (switch,), {"action": "store_true"}


def _of_what() -> Arguments:
    yield ("what",), {"choices": ["values", "manifest"]}
    yield ("name",), {}
    yield ("-a", "--all"), {"action": "store_true"}
    yield ("--revision",), {"type": int, "default": 0}


def _shown() -> Arguments:
    yield ("what",), {"choices": ["values", "chart"]}
    yield ("chart",), {}


def _listed() -> Arguments:
    yield ("-a", "--all"), {"action": "store_true"}
    yield ("-A", "--all-namespaces"), {"action": "store_true"}
    yield ("--filter",), {"default": ""}


def _asked_version() -> Arguments:
    yield ("--short",), {"action": "store_true"}
    yield ("--template",), {"default": ""}


_COMMANDS: Final[Mapping[str, Callable[[], Arguments]]] = {
    "get": _of_what, "history": _named, "install": _installed, "list": _listed, "rollback": _rolled_back,
    "show": _shown, "status": _named, "template": _installed, "uninstall": _uninstalled, "upgrade": _installed,
    "version": _asked_version,
}  # fmt: skip
_ACTIONS: Final[Mapping[str, Callable[[argparse.Namespace], None]]] = {
    "get": get, "history": history, "install": upgrade, "list": list_releases, "rollback": rollback, "show": show,
    "status": status, "template": template, "uninstall": uninstall, "upgrade": upgrade, "version": version,
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    options = _parser().parse_args(arguments)
    options.client = None
    if options.command == "install":
        options.install = True
    try:
        _ACTIONS[options.command](options)
    except (HelmError, ChartError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    finally:
        if options.client is not None:
            options.client.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
