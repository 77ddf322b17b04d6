"""SIMULATED: a helm for the demo's bundle, with helm v3.15's commands, words and records as far as the product goes."""

from __future__ import annotations

from rbdtui.simulator.helm.command_line import main as main
