"""Commands that make a site and what belongs to it: init, trust, secret, completion."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from rbdtui.cli.asking import agreed
from rbdtui.cli.options import FINDINGS, PASSPHRASE, Command, Common, Group, Word, WrongWord, site_argument
from rbdtui.cli.output import CommandError, Exit, Styled, answer, answer_findings, hanging, styled, tell
from rbdtui.cli.passphrases import PromptOrFile, read_secret_value
from rbdtui.paths import as_typed, asset
from rbdtui.session import Session
from rbdtui.site import Site
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.template import EXAMPLES, fill_example, profile_of
from rbdtui.transport.base import TransportError
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.vault import is_secret_name
from rbdtui.words import T, Text
from rbdtui.workbench.live.host_keys import HostKeys, KeyState, by_host


@click.command(
    cls=Command,
    help=str(T("cli.help.init")),
    examples=(
        "init site-a",
        "init site-a --example three-node",
    ),
)
@site_argument(required=True)
@click.option(
    "--example",
    type=Word(EXAMPLES),
    default=EXAMPLES[0],
    metavar="NAME",
    help=str(T("cli.option.example", names=", ".join(EXAMPLES))),
)
def init(site: Path, example: str, common: Common) -> None:
    """Make a site directory with a commented cluster.yaml."""
    made = Site.create(site)
    text = fill_example(asset("examples", f"{example}.yaml").read_text(encoding="utf-8"), site_name=made.path.name)
    made.begin(text)
    answer(T("cli.init.done", file=str(made.spec_file)))
    profile, spec = profile_of(text), parse_spec(text).spec
    way = "next_audit" if profile.audit_only else "next_existing" if spec is not None and spec.is_existing else "next"
    answer(Text(f"cli.init.{way}", {"site": as_typed(site)}))  # words: cli.init.*
    if profile.audit_only:
        tell(T("audit.only", profile=profile.name, site=as_typed(site)))
    elif not profile.is_complete:
        tell(T("start.new.not_yet"))


@click.command(
    cls=Command,
    help=str(T("cli.help.trust")),
    shows=(*FINDINGS, PASSPHRASE),
    examples=(
        "trust site-a",
        "trust site-a --replace node2",
    ),
)
@site_argument()
@click.option("--yes", is_flag=True, help=str(T("cli.option.trust_yes")))
@click.option("--replace", multiple=True, metavar="NODE", help=str(T("cli.option.trust_replace")))
def trust(site: Path, yes: bool, replace: tuple[str, ...], common: Common) -> int:
    """Show every host's key and pin what the operator confirms; a changed one only when its node is named."""
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    if session.loaded.spec is None:
        answer_findings(session.loaded.findings, ascii_only=common.ascii_only, verbose=common.verbose)
        return Exit.FINDINGS
    endpoints = endpoints_of(session.spec).values()
    known = list(dict.fromkeys(stop.node for end in endpoints for stop in (end, *end.bastions)))
    if unknown := [node for node in replace if node not in known]:
        raise WrongWord("--replace", unknown[0], known)
    hosts = by_host(asyncio.run(session.scan_host_keys()))
    for line in _key_lines(hosts):
        answer(line)
    failed = [host for host in hosts if host.error is not None]
    kept_out = [host for host in hosts if host.changed and host.node not in replace]
    chosen = [host for host in hosts if host.new or (host.changed and host.node in replace)]
    if any(host.changed for host in hosts):
        tell(T("cli.trust.changed_warning"))
    if chosen and not _pin(session, chosen, yes=yes):
        return Exit.FINDINGS
    if kept_out:
        options = " ".join(dict.fromkeys(f"--replace {shlex.quote(host.node)}" for host in kept_out))
        nodes = ", ".join(dict.fromkeys(host.node for host in kept_out))
        tell(T("cli.trust.replace_how", nodes=nodes, site=as_typed(site), options=options))
    elif not chosen and not failed:
        tell(T("cli.trust.all_pinned") if hosts else T("cli.trust.nobody"))
    for remedy in common_remedies([host.error for host in failed if host.error is not None]):
        tell(remedy)
    return Exit.FINDINGS if failed or kept_out else Exit.GOOD


def _pin(session: Session, hosts: Sequence[HostKeys], *, yes: bool) -> bool:
    """Pin what was shown of these hosts, if that is agreed to."""
    keys = [key for host in hosts for key in host.keys]
    if not yes and not agreed(T("cli.trust.confirm", count=len(keys)), instead=T("cli.trust.needs_yes")):
        tell(T("cli.trust.nothing_pinned"))
        return False
    session.known_hosts.pin(keys)
    tell(T("cli.trust.pinned", count=len(keys), file=str(session.site.known_hosts_file)))
    return True


def common_remedies(errors: Iterable[TransportError]) -> list[Text]:
    """What to do, once for all hosts with the same fault: each then names all of them."""
    by_kind: dict[str, list[Text]] = {}
    for error in errors:
        by_kind.setdefault(error.remedy.key, []).append(error.remedy)
    return [_joined(remedies) for remedies in by_kind.values()]


def _joined(remedies: Sequence[Text]) -> Text:
    if len(remedies) == 1:
        return remedies[0]
    names = dict.fromkeys(name for remedy in remedies for name in remedy.params)
    values = {name: dict.fromkeys(str(remedy.params.get(name, "")) for remedy in remedies) for name in names}
    return Text(remedies[0].key, {name: ", ".join(each) for name, each in values.items()})


def _key_lines(hosts: Sequence[HostKeys]) -> Iterator[Styled]:
    """A line for each key, in columns; below all of them why the other hosts showed none."""
    widths = [max((len(column) for column in columns), default=0) for columns in zip(*map(_where, hosts), strict=True)]
    algorithm_width = max((len(key.algorithm) for host in hosts for key in host.keys), default=0)
    heads = {host: "  ".join(map(str.ljust, _where(host), widths)) for host in hosts}
    for host in hosts:
        for key in host.keys:
            word = "needless" if host.needless(key) else key.state.value
            state = T(f"cli.trust.state.{word}")  # words: cli.trust.state.*
            line = f"{heads[host]}  {key.algorithm.ljust(algorithm_width)} {key.fingerprint}  {state}"
            yield styled(f"{line} ({key.pinned_fingerprint})" if key.state is KeyState.CHANGED else line)
    for host in hosts:
        if host.error is not None:
            yield from hanging(heads[host], str(host.error.text))


def _where(host: HostKeys) -> tuple[str, str]:
    return host.node, f"{host.address}:{host.port}"


@click.group(name="secret", cls=Group, help=str(T("cli.help.secret")))
def secret_group() -> None:
    """The vault of a site."""


def _checked_name(name: str) -> str:
    if not is_secret_name(name):
        raise CommandError(T("cli.secret.bad_name", name=name))
    return name


@secret_group.command(
    name="set",
    help=str(T("cli.help.secret_set")),
    shows=(PASSPHRASE,),
    examples=("secret set site-a sudo",),
)
@site_argument(required=True)
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


@secret_group.command(
    name="list",
    help=str(T("cli.help.secret_list")),
    shows=(PASSPHRASE,),
    examples=("secret list site-a",),
)
@site_argument(required=True)
def secret_list(site: Path, common: Common) -> None:
    """Names of the secrets in the vault; never their values."""
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    names = sorted(session.unlock().names()) if session.site.vault_file.exists() else []
    for name in names:
        answer(name)
    if not names:
        tell(T("cli.secret.none", site=as_typed(site)))


@secret_group.command(
    name="forget",
    help=str(T("cli.help.secret_forget")),
    shows=(PASSPHRASE,),
    examples=("secret forget site-a sudo",),
)
@site_argument(required=True)
@click.argument("name")
def secret_forget(site: Path, name: str, common: Common) -> None:
    """Take a secret out of the vault."""
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    if _checked_name(name) not in session.unlock().names():
        raise CommandError(T("cli.secret.unknown", name=name))
    session.unlock().forget(name)
    tell(T("cli.secret.forgotten", name=name))


@click.command(
    cls=Command,
    help=str(T("cli.help.completion")),
    examples=("completion bash",),
)
@click.argument("shell", type=Word(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str, common: Common) -> None:
    """Print the shell's completion script."""
    kind = get_completion_class(shell)
    if kind is not None:
        answer(kind(context.find_root().command, {}, "rbdtui", "_RBDTUI_COMPLETE").source())
