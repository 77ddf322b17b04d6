"""An operator's session with a site: what the command line and the screens both do with it.

Opens the site, reads the spec, unlocks the vault when a secret is needed, and brings spec, hosts, bundle, checks and
plan together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from rbdtui.bundle.scan import OfflineBundle, open_bundle
from rbdtui.bundle.verify import check_parts, verify_bundle
from rbdtui.checks.jump_host import check_jump_host
from rbdtui.checks.preflight import Part, PreflightResult, preflight
from rbdtui.engine.client import (
    RunClient,
    can_resume,
    half_failover,
    half_move,
    half_restore,
    installs_now,
    latest_of_plan,
    resume_run,
    start_run,
    unfinished_reset,
)
from rbdtui.engine.events import FailurePolicy
from rbdtui.engine.inputs import Purpose, RunOptions, spec_digest
from rbdtui.engine.launch import Standby
from rbdtui.errors import StepError
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding
from rbdtui.paths import as_typed
from rbdtui.plan.builder import build_plan
from rbdtui.plan.cluster import AGENT_TOKEN_SECRET, TOKEN_SECRET, VRRP_SECRET
from rbdtui.plan.preview import PreviewedStep, SilentReporter, preview
from rbdtui.plan.recipes import Request, convert, failover, move_nfs, move_storage, recipe_named, restore
from rbdtui.plan.step import NO_RUN_YET, Plan, Reporter, StepContext
from rbdtui.plan.steps.claim import cluster_id
from rbdtui.probes.history import HealthHistory
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.site import Site, SiteError
from rbdtui.spec import nfs_copy
from rbdtui.spec.acknowledged import weighed
from rbdtui.spec.loader import LoadedSpec, load_spec
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.mysql_accounts import SECRETS
from rbdtui.spec.references import bundle_directory, check_local, missing_secrets
from rbdtui.spec.rules import check_rules
from rbdtui.transport.base import Host
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts, SeenHostKey
from rbdtui.transport.pool import HostPool
from rbdtui.transport.scan import scan_host_keys
from rbdtui.vault import (
    Vault,
    VaultError,
    generate_replication_password,
    generate_token,
    generate_vrrp_password,
)
from rbdtui.words import T, Text

_OWN_SECRETS: Final = {
    TOKEN_SECRET: generate_token,
    AGENT_TOKEN_SECRET: generate_token,
    VRRP_SECRET: generate_vrrp_password,
}
"""Those that every installation has, with what makes them."""


_ENDING: Final = frozenset(
    recipe.name
    for recipe in (
        restore.RECIPE, failover.RECIPE, move_storage.RECIPE, move_storage.BACK, move_nfs.RECIPE, move_nfs.BACK,
    )
)  # fmt: skip
"""Recipes that end what was cut off."""


class PassphraseSource(Protocol):
    """Where the vault's passphrase comes from."""

    def existing(self) -> str:
        """The passphrase of a vault that is there; raises `SiteError` when nobody can be asked."""
        ...

    def new(self) -> str:
        """A passphrase for a vault that is about to be made; raises `SiteError` when nobody can be asked."""
        ...


@dataclass(slots=True)
class Session:
    """One operator at work on one site."""

    site: Site
    loaded: LoadedSpec
    passphrases: PassphraseSource
    _vault: Vault | None = field(default=None, repr=False)
    _standby: Standby = field(default_factory=Standby, repr=False)

    @classmethod
    def open(cls, path: Path, passphrases: PassphraseSource, *, installs: bool = False) -> Session:
        """Open a site; raises `SiteError`. Mistakes in cluster.yaml are findings, not errors.

        ``installs`` refuses a site that is only compared: for what installs, or asks what was installed.
        """
        site = Site.open(path)
        session = cls(site, load_spec(site.spec_file), passphrases)
        if installs:
            session.refuse_audit_only()
        return session

    def refuse_audit_only(self) -> None:
        """Raise `SiteError` for a site that is compared and converted, and on which nothing is installed."""
        if self.loaded.spec is not None and self.spec.profile.audit_only:
            raise SiteError(T("audit.only", profile=self.spec.profile.name, site=as_typed(self.site.path)))

    @property
    def spec(self) -> ClusterSpec:
        """The spec; raises `SiteError` when cluster.yaml cannot be read as one."""
        if self.loaded.spec is None:
            raise SiteError(T("site.bad_spec", path=str(self.site.spec_file)))
        return self.loaded.spec

    def rule_findings(self) -> list[Finding]:
        """What is wrong with the file alone, and with what it names on this machine."""
        if self.loaded.spec is None:
            return list(self.loaded.findings)
        found = [*self.loaded.findings, *check_rules(self.spec, self.loaded.place)]
        found += check_local(self.spec, self.site.path, self.loaded.place)
        found += check_parts(self.spec, self.bundle_dir, self.loaded.place)
        return weighed(found, self.spec, self.loaded.place)

    def missing_secret_findings(self) -> list[Finding]:
        """Secrets that cluster.yaml names and the vault lacks; asks for the passphrase only when any are named."""
        named = missing_secrets(self.spec, frozenset(), self.loaded.place)
        if not named:
            return []
        if not self.site.vault_file.exists():
            return named
        return missing_secrets(self.spec, self.unlock().names(), self.loaded.place)

    def unlock(self, *, create: bool = False) -> Vault:
        """The vault, opened once; raises `SiteError` or `VaultError`."""
        if self._vault is None:
            file = self.site.vault_file
            if file.exists():
                self._vault = Vault.open(file, self.passphrases.existing())
            elif create:
                self._vault = Vault.create(file, self.passphrases.new())
            else:
                raise SiteError(T("site.no_vault", path=str(self.site.path)))
        return self._vault

    @property
    def unlocked(self) -> bool:
        """Whether the vault is open."""
        return self._vault is not None

    def secret(self, name: str) -> str:
        """A secret by name; raises `SiteError` or `VaultError`."""
        return self.unlock().get(name)

    def known_secret(self, name: str) -> str | None:
        """A secret by name, without asking anybody; None while the vault is closed, or when it lacks it."""
        return self._vault.get(name) if self._vault is not None and name in self._vault else None

    def run_secrets(self) -> dict[str, str]:
        """All that a run may need, with those added that rbdtui makes itself; makes the vault when there is none."""
        vault = self.unlock(create=True)
        own = dict(_OWN_SECRETS)
        if self.spec.mysql_pair is not None:
            own |= dict.fromkeys(SECRETS, generate_replication_password)
        if self.spec.nfs_copy_node is not None:
            own[nfs_copy.SECRET] = generate_token
        for name, generate in own.items():
            if name not in vault:
                vault.set(name, generate())
        return {name: vault.get(name) for name in vault.names()}

    def make_secret(self, name: str) -> None:
        """A secret that rbdtui makes itself is in the vault, which is made when there is none; raises as `unlock`."""
        vault = self.unlock(create=True)
        if name not in vault:
            vault.set(name, _OWN_SECRETS[name]())

    def bundle(self) -> OfflineBundle:
        """The offline bundle that cluster.yaml names; raises `StepError` when the directory is not there."""
        return open_bundle(self.bundle_dir, cache_file=self.site.bundle_hashes_file)

    @property
    def bundle_dir(self) -> Path:
        """Directory of the offline packages; a relative path starts at the site."""
        return bundle_directory(self.spec, self.site.path)

    @property
    def known_hosts(self) -> KnownHosts:
        """The pinned host keys of this site."""
        return KnownHosts(self.site.known_hosts_file, only=self.site.simulated_servers)

    async def scan_host_keys(self) -> list[SeenHostKey]:
        """The keys that the hosts show now, beside what is pinned; logs in nowhere but at bastions."""
        return await scan_host_keys(endpoints_of(self.spec).values(), self.known_hosts, self.secret)

    @asynccontextmanager
    async def hosts(self) -> AsyncIterator[Mapping[str, Host]]:
        """The nodes, logged in to as needed, for the time of the block."""
        async with HostPool(endpoints_of(self.spec), self.known_hosts, self.secret) as pool:
            yield pool

    async def preflight(
        self,
        hosts: Mapping[str, Host],
        on_finding: Callable[[Finding], None] = lambda _: None,
        on_facts: Callable[[NodeFacts], None] = lambda _: None,
        *,
        parts: Part = Part.ALL,
    ) -> PreflightResult:
        """Ask every host everything, or parts of it, and judge it; findings are told as they come. Changes nothing."""
        parts = Part(0) if self.spec.profile.audit_only else parts
        try:
            bundle = self.bundle()
        except StepError:
            bundle = None
        result = await preflight(
            self.spec, hosts, bundle, self.loaded.place, on_finding, on_facts,
            cluster_id=self._cluster_id(), secret=self.known_secret,
            from_here=self.site.simulated_servers is None, parts=parts,
        )  # fmt: skip
        if Part.HOSTS not in parts:
            return replace(result, findings=weighed(result.findings, self.spec, self.loaded.place))
        own = await asyncio.to_thread(self.jump_host_findings)
        packages = await asyncio.to_thread(self._bundle_findings, bundle, list(result.facts.values()))
        for finding in (*own, *packages):
            on_finding(finding)
            result.findings.append(finding)
        return replace(result, findings=weighed(result.findings, self.spec, self.loaded.place))

    def health_monitor(self, hosts: Mapping[str, Host], history: HealthHistory | None = None) -> HealthMonitor:
        """Who asks after the health of this site; what changes is kept in ``history``."""
        return HealthMonitor(
            self.spec, hosts, self.site.kubeconfig_file,
            straight=self.site.simulated_servers is None, secret=self.known_secret, history=history,
            installing=partial(installs_now, self.site),
        )  # fmt: skip

    @staticmethod
    def jump_host_findings() -> list[Finding]:
        """What on this machine would keep a run from going on; part of every preflight."""
        return check_jump_host()

    def _bundle_findings(self, bundle: OfflineBundle | None, facts: list[NodeFacts]) -> list[Finding]:
        """What is wrong with the bundle for these hosts; of one that cannot be read, why that is so."""
        if bundle is not None:
            return verify_bundle(bundle, self.spec, facts)
        local = check_local(self.spec, self.site.path, self.loaded.place)
        return [finding for finding in local if finding.place.field == "bundle"]

    def plan(self, facts: Mapping[str, NodeFacts]) -> Plan:
        """The steps for this spec on these hosts."""
        return build_plan(self.spec, facts)

    def _cluster_id(self) -> str:
        """What tells this cluster from another of the same name; empty while the vault is closed."""
        vault = self._vault
        return cluster_id(vault.get(TOKEN_SECRET)) if vault is not None and TOKEN_SECRET in vault else ""

    def interrupted_run(self) -> RunClient | None:
        """The newest run of the plan, when it was left unfinished and is for cluster.yaml as it is now.

        Raises `JournalError` for one that cannot be read: `start` begins a new one all the same.
        """
        newest = latest_of_plan(self.site)
        if newest is None or not can_resume(newest.run_dir, self._spec_sha256):
            return None
        return newest

    @property
    def _spec_text(self) -> bytes:
        return self.loaded.text.encode()

    @property
    def _spec_sha256(self) -> str:
        return spec_digest(self._spec_text)

    @property
    def half_done(self) -> Text | None:
        """What was cut off and has to be ended first, a reset, restore, failover or move; None when nothing was."""
        source = self.loaded.spec.mysql.source if self.loaded.spec is not None else None
        found = {
            "reset": unfinished_reset(self.site),
            "restore": half_restore(self.site),
            "failover": half_failover(self.site, source),
            "move": half_move(self.site),
        }
        for name, cut_off in found.items():
            if cut_off is not None:
                return T(f"site.half_{name}", run=cut_off.run_id, site=as_typed(self.site.path))  # words: site.half_*
        return None

    def refuse_half_done(self) -> None:
        """Raise `SiteError` when something was cut off: it is no ground for anything else."""
        if (text := self.half_done) is not None:
            raise SiteError(text)

    def prepare_runner(self) -> None:
        """Have a runner load what it needs, because a run is likely to be started soon; see `Standby`."""
        self._standby.prepare()

    def dismiss_runner(self) -> None:
        """No run is started after all."""
        self._standby.close()

    async def start(self, facts: Mapping[str, NodeFacts], options: RunOptions) -> RunClient:
        """Start a new run in a process of its own; raises `SiteLockedError`, `SiteError` or `RunInputError`."""
        self.refuse_audit_only()
        self.refuse_half_done()
        return await start_run(
            self.site, spec_text=self._spec_text, facts=facts, secrets=self.run_secrets(), options=options,
            runner=self._standby,
        )  # fmt: skip

    async def start_reset(self, purpose: Purpose) -> RunClient:
        """Start a reset in a process of its own; raises as `start`."""
        self.refuse_audit_only()
        return await start_run(
            self.site, spec_text=self._spec_text, facts={}, secrets=self._secrets_there(),
            options=RunOptions(policy=FailurePolicy.QUARANTINE),
            purpose=purpose, runner=self._standby,
        )  # fmt: skip

    async def start_recipe(self, purpose: Purpose, facts: Mapping[str, NodeFacts], options: RunOptions) -> RunClient:
        """Start a recipe in a process of its own; raises as `start`. What ends one that was cut off may."""
        if purpose.recipe != convert.RECIPE.name:
            self.refuse_audit_only()
        if purpose.recipe not in _ENDING:
            self.refuse_half_done()
        return await start_run(
            self.site, spec_text=self._spec_text, facts=facts, secrets=self._secrets_there(), options=options,
            purpose=purpose, runner=self._standby,
        )  # fmt: skip

    async def preview_recipe(self, purpose: Purpose, facts: Mapping[str, NodeFacts]) -> list[PreviewedStep]:
        """What each step of a recipe would change; changes nothing. Raises `StepError`, `SiteError`, `VaultError`."""
        recipe = recipe_named(purpose.recipe)
        plan = recipe.build(Request(self.spec, facts, purpose.arguments))
        async with self.hosts() as hosts:
            context = self.dry_context(hosts, facts, SilentReporter(), with_bundle=False)
            return await preview(plan, context)

    def _secrets_there(self) -> dict[str, str]:
        """The secrets that are in the vault: none is made, and a site may have no vault."""
        vault = self.unlock() if self.site.vault_file.exists() else None
        return {name: vault.get(name) for name in vault.names()} if vault is not None else {}

    async def take_up(self, run: RunClient, options: RunOptions | None = None) -> RunClient:
        """Have an interrupted run go on, as it was started unless options are given; raises as `start`."""
        return await resume_run(run.run_dir, secrets=self.run_secrets(), options=options, runner=self._standby)

    def dry_context(
        self,
        hosts: Mapping[str, Host],
        facts: Mapping[str, NodeFacts],
        report: Reporter,
        *,
        with_bundle: bool = True,
    ) -> StepContext:
        """A context in which steps can be asked what is pending, with stand-ins for secrets that nobody unlocked.

        Raises `StepError` when the bundle is wanted and not there.
        """
        vault = self.unlock() if self.site.vault_file.exists() else None
        names = vault.names() if vault is not None else frozenset()

        def secret(name: str) -> str:
            return vault.get(name) if vault is not None and name in names else f"<{name}>"

        return StepContext(
            run_id=NO_RUN_YET, spec=self.spec, facts=facts, hosts=hosts, secret=secret,
            bundle=self.bundle() if with_bundle else open_bundle(self.site.path),
            report=report, site_dir=self.site.path,
        )  # fmt: skip


__all__ = ["PassphraseSource", "Session", "VaultError"]
