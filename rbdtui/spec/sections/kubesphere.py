"""KubeSphere on the cluster that the plan makes: whether, where its images come from, and what its chart is given."""

from __future__ import annotations

from typing import Any

from pydantic import Field, StrictBool

from rbdtui.spec.types import Domain, ImageRegistry, Section


class Kubesphere(Section):
    """The section ``kubesphere``."""

    install: StrictBool = False
    """Whether KubeSphere is installed at all."""
    image_registry: ImageRegistry | None = None
    """A registry that has its images already, with what stands before ``kubesphere/``; without it the images come
    from the bundle."""
    storage_class: Domain | None = None
    """Of the volumes of its Redis, which a plan with three servers has; without it Redis keeps nothing on disk."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Further values of the chart, laid over those that the plan makes."""
