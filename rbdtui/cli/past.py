"""Commands that look at what was: the runs of a site, the logs of their steps, and the kubeconfig that came of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from rbdtui.cli.options import NO_COLOR, Command, Common, json_option, site_argument
from rbdtui.cli.output import CommandError, Exit, answer, answer_json, styled, tell
from rbdtui.engine.client import RunClient, current_run
from rbdtui.paths import as_typed
from rbdtui.site import Site
from rbdtui.words import T
from rbdtui.workbench.run.log_view import LogFile
from rbdtui.workbench.run.run_list import RunLine, list_runs

LOOK_EVERY_S: Final = 0.3
_AT_ONCE: Final = 500
"""Lines that are read of a log before they are written."""


@click.command(
    cls=Command,
    help=str(T("cli.help.runs")),
    examples=(
        "runs site-a",
        "runs site-a --json",
    ),
)
@site_argument()
@json_option()
def runs(site: Path, as_json: bool, common: Common) -> int:
    """The newest runs of a site, the last one last."""
    found = list_runs(Site.open(site))[::-1]
    if as_json:
        answer_json({"runs": [_as_json(run) for run in found]})
    elif not found:
        tell(T("cli.run.none", site=as_typed(site)))
    for run in found if not as_json else []:
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.began_at)) if run.began_at else "-"
        words = f"{run.run_id}  {began:19}  {T(f'run_screen.phase.{run.phase.value}')}"  # words: run_screen.phase.*
        if run.outcome is not None:
            words += f"  {T('cli.runs.changed', count=run.changed)}"
        answer(words if run.other_work is None else f"{words}  {run.other_work}")
    return Exit.GOOD


def _as_json(run: RunLine) -> dict[str, object]:
    return {
        "run": run.run_id,
        "began_at": run.began_at,
        "purpose": run.purpose.name if run.purpose is not None else None,
        "state": run.phase.value,
        "changed": run.changed if run.outcome is not None else None,
        "duration_s": run.duration_s if run.outcome is not None else None,
    }


@click.command(
    cls=Command,
    help=str(T("cli.help.logs")),
    shows=(NO_COLOR,),
    examples=(
        "logs site-a --node node2",
        "logs site-a --step rke2-server --follow",
    ),
)
@site_argument()
@click.option("--run", "run_id", metavar="RUN", help=str(T("cli.option.logs_run")))
@click.option("--node", metavar="NODE", help=str(T("cli.option.logs_node")))
@click.option("--step", metavar="STEP", help=str(T("cli.option.step")))
@click.option("-f", "--follow", is_flag=True, help=str(T("cli.option.logs_follow")))
def logs(site: Path, run_id: str | None, node: str | None, step: str | None, follow: bool, common: Common) -> int:
    """What the steps of a run printed, step by step."""
    client = _wanted_run(site, run_id)
    shown = _Logs(client, node, step)
    shown.show_new()
    try:
        while follow and client.state().outcome is None and client.alive():
            time.sleep(LOOK_EVERY_S)
            shown.show_new()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    shown.show_new()
    return Exit.GOOD


def current_run_of(path: Path) -> RunClient:
    """The run of a site that is under way, else its newest; raises `CommandError` when there is none."""
    current = current_run(Site.open(path))
    if current is None:
        raise CommandError(T("cli.run.none", site=as_typed(path)))
    return current


def _wanted_run(path: Path, run_id: str | None) -> RunClient:
    """A run by the end of its name, or the current one; raises `CommandError`."""
    if run_id is None:
        return current_run_of(path)
    site = Site.open(path)
    known = site.run_ids()
    matching = [name for name in known if name == run_id] or [name for name in known if name.endswith(run_id)]
    if len(matching) != 1:
        raise CommandError(T("cli.logs.no_such_run", given=run_id, site=as_typed(path)))
    return RunClient(site.run_dir(matching[0]))


class _Logs:
    """The logs of the chosen steps of a run, each line written once."""

    def __init__(self, client: RunClient, node: str | None, step: str | None) -> None:
        self._client = client
        self._node, self._step = node, step
        self._written: dict[str, int] = {}
        self._heading = ""
        if not self._steps():
            steps = client.state().steps
            by_node = {state.info.node for state in steps.values() if state.info.node}
            known = by_node if node else {name.partition("@")[0] for name in steps}
            raise CommandError(T("cli.logs.no_such_step", given=step or node or "", known=", ".join(sorted(known))))

    def _steps(self) -> list[str]:
        steps = self._client.state().steps
        return [
            name
            for name, state in steps.items()
            if self._node in (None, state.info.node) and self._step in (None, name, name.partition("@")[0])
        ]

    def show_new(self) -> None:
        """Write what has been added since the last call; a heading where another step's lines begin."""
        for step in self._steps():
            for text in self._new_lines(step):
                if self._heading != step:
                    self._heading = step
                    answer(styled(f"==> {step} <==", bold=True))
                answer(text)

    def _new_lines(self, step: str) -> Iterator[str]:
        file = LogFile(self._client.log_file(step))
        while lines := file.after(self._written.get(step, 0), _AT_ONCE):
            self._written[step] = lines[-1].end
            yield from (line.text for line in lines)


@click.command(
    cls=Command,
    help=str(T("cli.help.kubeconfig")),
    examples=("kubeconfig site-a",),
)
@site_argument()
def kubeconfig(site: Path, common: Common) -> int:
    """Where the site's kubeconfig is: the path alone on stdout, so that a shell can take it."""
    file = Site.open(site).kubeconfig_file
    if not file.is_file():
        raise CommandError(T("cli.kubeconfig.none", site=as_typed(site)))
    answer(str(file))
    return Exit.GOOD
