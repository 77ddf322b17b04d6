"""Commands that make a site and what belongs to it: init, trust, secret, completion."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from rbdtui.cli.asking import agreed
from rbdtui.cli.options import Command, Common, Group, site_argument
from rbdtui.cli.output import CommandError, Exit, answer, tell
from rbdtui.cli.passphrases import PromptOrFile, read_secret_value
from rbdtui.paths import as_typed, asset
from rbdtui.session import Session
from rbdtui.site import Site
from rbdtui.spec.template import EXAMPLES, fill_example
from rbdtui.transport.hostkeys import KeyState, SeenHostKey
from rbdtui.vault import is_secret_name
from rbdtui.words import T


@click.command(cls=Command, help=str(T("cli.help.init")))
@click.argument("site", type=click.Path(path_type=Path))
@click.option("--example", type=click.Choice(EXAMPLES), default=EXAMPLES[0], help=str(T("cli.option.example")))
def init(site: Path, example: str, common: Common) -> None:
    """Make a site directory with a commented cluster.yaml."""
    made = Site.create(site)
    text = fill_example(asset("examples", f"{example}.yaml").read_text(encoding="utf-8"), site_name=made.path.name)
    made.begin(text)
    answer(T("cli.init.done", file=str(made.spec_file)))
    answer(T("cli.init.next", site=as_typed(site)))


@click.command(cls=Command, help=str(T("cli.help.trust")))
@site_argument()
@click.option("--yes", is_flag=True, help=str(T("cli.option.trust_yes")))
def trust(site: Path, yes: bool, common: Common) -> int:
    """Show every host's key and pin what the operator confirms."""
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    seen = asyncio.run(session.scan_host_keys())
    for key in seen:
        answer(_key_line(key))
    failed = [key for key in seen if key.error is not None]
    shown = [key for key in seen if key.error is None]
    open_keys = [key for key in shown if key.state in (KeyState.NEW, KeyState.CHANGED)]
    if open_keys:
        if any(key.state is KeyState.CHANGED for key in open_keys):
            tell(T("cli.trust.changed_warning"))
        question = T("cli.trust.confirm", count=len(open_keys))
        if not yes and not agreed(question, instead=T("cli.trust.needs_yes")):
            tell(T("cli.trust.nothing_pinned"))
            return Exit.FINDINGS
        places = {(key.address, key.port) for key in open_keys}
        session.known_hosts.pin(key for key in shown if (key.address, key.port) in places)
        tell(T("cli.trust.pinned", count=len(open_keys), file=str(session.site.known_hosts_file)))
    elif not failed:
        tell(T("cli.trust.all_pinned"))
    for error in (key.error for key in failed if key.error is not None):
        tell(error.remedy)
    return Exit.FINDINGS if failed else Exit.GOOD


def _key_line(key: SeenHostKey) -> str:
    where = f"{key.node}  {key.address}:{key.port}"
    if key.error is not None:
        return f"{where}  {key.error.text}"
    state = T(f"cli.trust.state.{key.state.value}")  # words: cli.trust.state.*
    line = f"{where}  {key.algorithm} {key.fingerprint}  {state}"
    return f"{line} ({key.pinned_fingerprint})" if key.state is KeyState.CHANGED else line


@click.group(name="secret", cls=Group, help=str(T("cli.help.secret")))
def secret_group() -> None:
    """The vault of a site."""


def _checked_name(name: str) -> str:
    if not is_secret_name(name):
        raise CommandError(T("cli.secret.bad_name", name=name))
    return name


@secret_group.command(name="set", help=str(T("cli.help.secret_set")))
@click.argument("site", type=click.Path(path_type=Path))
@click.argument("name")
def secret_set(site: Path, name: str, common: Common) -> None:
    """Put a value, from a prompt or standard input, into the vault."""
    name = _checked_name(name)
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    vault = session.unlock(create=True)
    value = read_secret_value(T("cli.secret.prompt", name=name))
    if not value:
        raise CommandError(T("cli.secret.empty", name=name))
    vault.set(name, value)
    tell(T("cli.secret.kept", name=name, file=str(session.site.vault_file)))


@secret_group.command(name="list", help=str(T("cli.help.secret_list")))
@click.argument("site", type=click.Path(path_type=Path))
def secret_list(site: Path, common: Common) -> None:
    """Names of the secrets in the vault; never their values."""
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    if session.site.vault_file.exists():
        for name in sorted(session.unlock().names()):
            answer(name)


@secret_group.command(name="forget", help=str(T("cli.help.secret_forget")))
@click.argument("site", type=click.Path(path_type=Path))
@click.argument("name")
def secret_forget(site: Path, name: str, common: Common) -> None:
    """Take a secret out of the vault."""
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    if _checked_name(name) not in session.unlock().names():
        raise CommandError(T("cli.secret.unknown", name=name))
    session.unlock().forget(name)
    tell(T("cli.secret.forgotten", name=name))


@click.command(cls=Command, help=str(T("cli.help.completion")))
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str, common: Common) -> None:
    """Print the shell's completion script."""
    kind = get_completion_class(shell)
    if kind is not None:
        answer(kind(context.find_root().command, {}, "rbdtui", "_RBDTUI_COMPLETE").source())
