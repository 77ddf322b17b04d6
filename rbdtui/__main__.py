"""Start of the program: the language is chosen before anything that speaks is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rbdtui.process import keep_memory_private
from rbdtui.terminal_text import PLAIN_SIGNS_HANDLER
from rbdtui.words import LANGUAGES, T, language_of_environment, use_language

COMPLETION_VARIABLE = "_RBDTUI_COMPLETE"
"""By which a shell asks what a word may become."""


def language_of_arguments(arguments: Sequence[str]) -> str | None:
    """The value of ``--lang`` wherever it stands; None when it is not given."""
    for position, argument in enumerate(arguments):
        if argument.startswith("--lang="):
            return argument.removeprefix("--lang=")
        if argument == "--lang" and position + 1 < len(arguments):
            return arguments[position + 1]
    return None


def main() -> None:
    """Run the command line and leave with its exit status."""
    keep_memory_private()
    if COMPLETION_VARIABLE in os.environ:
        from rbdtui.cli.completing import answer_shell

        if (offers := answer_shell(os.environ, COMPLETION_VARIABLE)) is not None:
            sys.stdout.buffer.write(offers.encode("utf-8", "replace") + b"\n")
            return
    arguments = sys.argv[1:]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=PLAIN_SIGNS_HANDLER)
    use_language(language_of_environment())
    wanted = language_of_arguments(arguments)
    if wanted is not None:
        if wanted not in LANGUAGES:
            print(T("cli.usage.language", given=wanted, allowed=", ".join(LANGUAGES)), file=sys.stderr)  # noqa: T201
            sys.exit(2)
        use_language(wanted)
    from rbdtui.cli.app import run_command_line
    from rbdtui.cli.output import clean_last_words

    clean_last_words()
    sys.exit(run_command_line(arguments))


if __name__ == "__main__":
    main()
