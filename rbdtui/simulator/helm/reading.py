"""SIMULATED helm: the commands that only look."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

import yaml

from rbdtui.simulator.chart import Tree, manifest, plain, read_chart
from rbdtui.simulator.helm.api import client_of
from rbdtui.simulator.helm.releases import Releases
from rbdtui.simulator.helm.rendering import marked, rendered, values_of
from rbdtui.simulator.kubernetes.patches import merged

VERSION: Final = "v3.15.4"
_GIT: Final = "fa9efb07d9d8debbb4306d72af76a383895aa8c4"


def status(options: argparse.Namespace) -> None:
    """``status NAME``."""
    show_status(options, Releases(client_of(options), options.namespace).last(options.name))


def show_status(options: argparse.Namespace, release: Tree) -> None:
    """A release as `status` and `upgrade` show it."""
    if options.output == "json":
        say(plain({key: value for key, value in release.items() if key != "chart"}))
        return
    info = release["info"]
    words = {
        "NAME": release["name"], "LAST DEPLOYED": info["last_deployed"], "NAMESPACE": release["namespace"],
        "STATUS": info["status"], "REVISION": release["version"], "NOTES": f"\n{info['notes']}",
    }  # fmt: skip
    say("\n".join(f"{key}: {value}" for key, value in words.items()))


def _row(release: Tree) -> Tree:
    about, info = release["chart"]["metadata"], release["info"]
    chart = f"{about['name']}-{about['version']}"
    return {"updated": info["last_deployed"], "status": info["status"], "chart": chart} | {
        "app_version": about.get("appVersion", "")
    }


def history(options: argparse.Namespace) -> None:
    """``history NAME``."""
    releases = Releases(client_of(options), options.namespace)
    releases.last(options.name)
    rows = [
        {"revision": each["version"], **_row(each), "description": each["info"]["description"]}
        for each in releases.all(options.name)
    ]
    _say_rows(options, rows)


def list_releases(options: argparse.Namespace) -> None:
    """``list``."""
    releases = Releases(client_of(options), options.namespace)
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
        say(plain(rows))
        return
    for row in rows:
        say("\t".join(str(value) for value in row.values()))


def get(options: argparse.Namespace) -> None:
    """``get values NAME`` and ``get manifest NAME``."""
    release = Releases(client_of(options), options.namespace).last(options.name)
    if options.what == "manifest":
        say(release["manifest"])
        return
    values = merged(release["chart"]["values"], release["config"]) if options.all else release["config"]
    say(plain(values) if options.output == "json" else yaml.safe_dump(values, sort_keys=False))


def show(options: argparse.Namespace) -> None:
    """``show values CHART`` and ``show chart CHART``."""
    chart = read_chart(Path(options.chart))
    say(chart.text if options.what == "values" else yaml.safe_dump(chart.about, sort_keys=False))


def template(options: argparse.Namespace) -> None:
    """``template NAME CHART``."""
    chart = read_chart(Path(options.chart))
    objects = rendered(chart, values_of(options, chart.values)[1], options.namespace)
    definitions = list(chart.definitions) if options.include_crds else []
    say(manifest([*definitions, *(marked(each, options.name, options.namespace) for each in objects)]))


def version(options: argparse.Namespace) -> None:
    """``version``."""
    if options.template:
        say(options.template.replace("{{.Version}}", VERSION).replace("{{ .Version }}", VERSION))
    elif options.short:
        say(f"{VERSION}+g{_GIT[:7]}")
    else:
        words = f'Version:"{VERSION}", GitCommit:"{_GIT}", GitTreeState:"simulated", GoVersion:""'
        say(f"version.BuildInfo{{{words}}}")


def say(text: str) -> None:
    """Print, with one line feed at the end."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
