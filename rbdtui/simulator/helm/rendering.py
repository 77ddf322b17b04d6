"""SIMULATED helm: values over values, and what a chart makes of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from rbdtui.simulator import chart_kubesphere, chart_old, chart_rook
from rbdtui.simulator.chart import Chart, Tree, render
from rbdtui.simulator.helm.api import HelmError
from rbdtui.simulator.kubernetes.patches import merged


def values_of(options: argparse.Namespace, defaults: Tree) -> tuple[Tree, Tree]:
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


def rendered(chart: Chart, values: Tree, namespace: str) -> list[Tree]:
    """What the chart's templates make; raises `ChartError`."""
    if chart.about["name"] == chart_kubesphere.NAME:
        return chart_kubesphere.render(values, namespace)
    if chart.about["name"] == chart_rook.NAME:
        return chart_rook.render(values, namespace)
    if chart.about["name"] == chart_old.NAME:
        return chart_old.render(values, namespace)
    return render(values, namespace, str(chart.about["version"]))


def marked(item: Tree, name: str, namespace: str) -> Tree:
    """An object with the marks by which helm knows its own."""
    metadata = item["metadata"]
    labels = metadata.get("labels", {}) | {"app.kubernetes.io/managed-by": "Helm"}
    notes = {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace}
    return item | {"metadata": metadata | {"labels": labels, "annotations": notes}}
