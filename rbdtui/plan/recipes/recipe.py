"""What a recipe is: work on a site that stands, carried out by the engine as an installation is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.step import Plan
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import Text


@dataclass(frozen=True, slots=True)
class Request:
    """All that a recipe makes its plan from."""

    spec: ClusterSpec
    facts: Mapping[str, NodeFacts]
    """By node name, as gathered before."""
    arguments: Mapping[str, str]
    """What an operator chose, by name; never a secret."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One kind of work, known by its name in commands, journals and words.

    Words: ``recipe.NAME.title`` names the work; ``recipe.NAME.weighs`` says what it costs or does not promise, before
    anybody agrees; ``recipe.NAME.done`` what holds now.
    """

    name: str
    build: Callable[[Request], Plan]
    """The plan, the same for the same request; raises `StepError` for arguments that do not fit the site."""
    by_name: bool = False
    """Whether something that users have stops or is lost, so that it is agreed to by typing the site's name."""
    first_weighs: Callable[[Mapping[str, str]], Iterable[Text]] = lambda _: ()
    """What these arguments cost that others do not."""

    def weighs(self, arguments: Mapping[str, str]) -> tuple[Text, ...]:
        """What is to be known before anybody agrees to the work with these arguments."""
        general = Text(f"recipe.{self.name}.weighs", dict(arguments))  # words: recipe.*.weighs
        return (*self.first_weighs(arguments), general)
