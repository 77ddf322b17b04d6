"""The operator's kubeconfig in the site: where it lies, who may read it, and how it is written."""

from __future__ import annotations

from pathlib import Path

from rbdtui.atomic import write_atomic
from rbdtui.errors import reason_of
from rbdtui.kube.kubeconfig import MOST_BYTES
from rbdtui.plan.step import StepContext, StepError


def kubeconfig_file(context: StepContext) -> Path:
    """Where it lies, whether it is there already or not."""
    return context.site_dir / "kubeconfig"


def present_kubeconfig(context: StepContext) -> bytes | None:
    """What the operator alone can read there; None for anything else."""
    file = kubeconfig_file(context)
    try:
        if not file.is_file() or file.stat().st_mode & 0o077:
            return None
        with file.open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except OSError:
        return None


def write_kubeconfig(context: StepContext, content: bytes) -> None:
    """Write it for the operator alone; raises `StepError`."""
    file = kubeconfig_file(context)
    try:
        write_atomic(file, content)
    except OSError as error:
        raise StepError("site_not_writable", path=str(file), evidence=reason_of(error)) from error
