"""All that one operator has before them of one site: draft, live answers, preflight, run and health.

Screens read its properties, which are snapshots, and call its methods, which return at once. It never draws and never
waits for a host.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from rbdtui.engine.client import RunClient, current_run
from rbdtui.engine.events import FailurePolicy
from rbdtui.engine.inputs import RunOptions
from rbdtui.findings import Finding
from rbdtui.session import Session
from rbdtui.site import SiteError
from rbdtui.spec.acknowledged import weighed
from rbdtui.spec.edit import EditError
from rbdtui.spec.loader import load_spec, parse_spec
from rbdtui.spec.references import secret_references
from rbdtui.transport.base import CredentialError
from rbdtui.transport.hostkeys import SeenHostKey
from rbdtui.vault import VaultError
from rbdtui.words import T
from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.draft.draft import Data, Draft
from rbdtui.workbench.draft.draft_file import DraftFile
from rbdtui.workbench.draft.file_watch import FileWatch
from rbdtui.workbench.draft.keeping import Keeper
from rbdtui.workbench.draft.local_files import LocalFiles
from rbdtui.workbench.faults import FaultLine
from rbdtui.workbench.health.health_view import HealthFollower
from rbdtui.workbench.live.bundle_view import BundleLook, BundleView
from rbdtui.workbench.live.live import LiveNodes, LiveSnapshot
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.review.preflight_view import Preflight, PreflightView
from rbdtui.workbench.run.run_view import RunFollower
from rbdtui.workbench.upkeep.upkeep import UpkeepView


class DamagedSpecError(SiteError):
    """cluster.yaml cannot even be read as YAML; carries what is wrong and where."""

    def __init__(self, path: Path, findings: Iterable[Finding]) -> None:
        super().__init__(T("site.bad_spec", path=str(path)))
        self.path = path
        self.findings = tuple(findings)


class Workbench:
    """One site, opened."""

    def __init__(
        self,
        session: Session,
        draft: Draft,
        passphrases: HeldPassphrase,
        *,
        simulated: bool = False,
        faults: FaultLine | None = None,
        ask_servers: bool = True,
    ) -> None:
        self.session = session
        self.site = session.site
        self.draft = draft
        self.simulated = simulated or session.site.simulated_servers is not None
        """Whether the servers are simulated; every screen says so."""
        self.ends_with_screen = simulated
        """Whether this is the demo itself, whose servers and site are gone with it."""
        self.faults = faults
        """The simulated servers' faults; None for real ones."""
        self.passphrases = passphrases
        self._asks_servers = ask_servers
        self._typed_into = ""
        self.background = BackgroundLoop()
        self._subscribers: list[Callable[[], None]] = []
        self._live = LiveNodes(self.background, session.known_hosts, self._secret, session.known_secret, self._tell)
        self._local_files = LocalFiles(draft, self.background, self._tell)
        self._bundle = BundleView(self.site.path, self.site.bundle_hashes_file, self.background, self._tell)
        self._preflight = PreflightView(self.background, self._tell)
        self._health = HealthFollower(self.background, self._tell)
        self.upkeep = UpkeepView(self.background, self._tell)
        """Snapshots and servers of the cluster; `look_at_upkeep` asks for them."""
        self.run: RunFollower | None = None
        """The run that is looked at: the one under way, else the newest, or the one chosen by `open_run`."""
        self._run_was_alive = False
        self._keeper = Keeper(draft, self.background)
        self._draft_file: DraftFile | None = None
        self.file_damaged = False
        """Whether cluster.yaml could not be read any more when it was last looked at."""
        self._file = FileWatch(self.site.spec_file, lambda: self.draft.saved_text, self.background, self._tell)
        self.look_for_run()

    @classmethod
    def open(
        cls,
        path: Path,
        passphrases: HeldPassphrase,
        *,
        simulated: bool = False,
        faults: FaultLine | None = None,
        ask_servers: bool = True,
    ) -> Workbench:
        """Open a site; raises `SiteError`, as `DamagedSpecError` when cluster.yaml is no YAML mapping.

        ``simulated`` is the demo itself; a demo's site that another terminal opens is known by its mark.
        """
        session = Session.open(path, passphrases)
        draft_file = DraftFile.take(session.site.path)
        draft = Draft.open(session.site, draft_file.path, session.loaded)
        if draft is None:
            draft_file.release()
            raise DamagedSpecError(session.site.spec_file, session.loaded.findings)
        workbench = cls(session, draft, passphrases, simulated=simulated, faults=faults, ask_servers=ask_servers)
        workbench._draft_file = draft_file
        return workbench

    def start(self) -> None:
        """Begin to ask the servers of the draft."""
        self._follow_servers()

    def close(self) -> None:
        """Keep the draft and let go of everything; a run goes on."""
        self.keep_now()
        self._live.close()
        self._local_files.close()
        self._bundle.close()
        self._preflight.close()
        self._health.close()
        self.upkeep.close()
        if self.run is not None:
            self.run.close()
        self.background.close()
        self.session.dismiss_runner()
        if self._draft_file is not None:
            self._draft_file.release()

    # --- who wants to know -----------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have a function called after every change, from any thread; returns what ends that."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def _tell(self) -> None:
        self._ask_after_run()
        for callback in list(self._subscribers):
            callback()

    def _ask_after_run(self) -> None:
        """When a run ends, what the servers said before it no longer holds: they have the VIP now, and our claim.

        Neither does what was found when they were checked, nor what the plan would have changed on them.
        """
        alive = self.run is not None and self.run.alive
        ended, self._run_was_alive = self._run_was_alive and not alive, alive
        if ended:
            self._preflight.outdate()
            self._live.ask_again()
            self.upkeep.outdate()

    # --- the draft -------------------------------------------------------------------------------------------

    def change(self, operation: Callable[[Data], None], *, merge: str = "") -> None:
        """Change the draft in place; rules are judged before this returns, servers are asked later.

        Changes in a row with the same ``merge`` are undone together.
        """
        self.draft.change(operation, merge=merge)
        self._after_change()

    def undo(self, *, for_good: bool = False) -> bool:
        """Take the last change back; False when there is none. One taken back ``for_good`` cannot be had again."""
        undone = self.draft.undo(for_good=for_good)
        if undone:
            self._after_change()
        return undone

    def redo(self) -> bool:
        """Make the change again that was taken back last; False when there is none, or another was made since."""
        redone = self.draft.redo()
        if redone:
            self._after_change()
        return redone

    def save(self) -> str:
        """Write the draft into cluster.yaml, with a .bak of what was there; the diff. Raises `spec.edit.EditError`.

        A file that was changed elsewhere is not written over: the draft goes on from it, and the error says so.
        """
        contested = self.take_up_file()
        if contested is not None and self.draft.dirty:
            fields = ", ".join(contested)
            raise EditError(T("draft.contested", fields=fields) if contested else T("draft.together"))
        diff = self.draft.save()
        self.session.loaded = parse_spec(self.draft.saved_text)
        self._tell()
        return diff

    @property
    def open_elsewhere(self) -> bool:
        """Whether another screen had the site open already."""
        return self._draft_file is not None and self._draft_file.others

    @property
    def file_changed(self) -> bool:
        """Whether cluster.yaml was seen to be changed elsewhere; `take_up_file` goes on from it."""
        return self._file.changed

    def look_at_file(self) -> None:
        """Look soon whether cluster.yaml was changed elsewhere."""
        self._file.look()

    def take_up_file(self) -> tuple[str, ...] | None:
        """Go on from cluster.yaml as it was changed elsewhere, with the draft's changes on top.

        Returns the fields that both changed, where the draft counts; None when nothing was changed elsewhere.
        """
        self._file.changed = False
        loaded = load_spec(self.site.spec_file)
        self.file_damaged = loaded.data is None
        if loaded.data is None or loaded.text == self.draft.saved_text:
            return None
        contested = self.draft.take_up(loaded)
        self.session.loaded = loaded
        self._after_change()
        return contested

    def settle_file(self) -> None:
        """Have cluster.yaml and the plan be one and the same before anything is done with the plan.

        A change made elsewhere is taken up; raises `DamagedSpecError` when the file cannot be read by now.
        """
        self.take_up_file()
        if self.file_damaged:
            raise DamagedSpecError(self.site.spec_file, load_spec(self.site.spec_file).findings)

    def discard(self) -> None:
        """Go back to what cluster.yaml says; the draft can be brought back by `undo`."""
        self.draft.discard()
        self._after_change()

    def read_again(self) -> None:
        """Take cluster.yaml as it is on the disk now, in place of the draft; raises `DamagedSpecError`.

        The draft can be brought back by `undo`.
        """
        loaded = load_spec(self.site.spec_file)
        if loaded.data is None:
            raise DamagedSpecError(self.site.spec_file, loaded.findings)
        self.session.loaded = loaded
        self.draft.start_over(loaded)
        self.keep_now()
        self._after_change()

    def keep(self) -> None:
        """Put the draft on the disk soon, without waiting for it."""
        self._keeper.keep()

    def keep_now(self) -> None:
        """Put the draft on the disk before this returns."""
        self._keeper.keep_now()

    def _after_change(self) -> None:
        self._preflight.compare(self.draft.fingerprint)
        self._local_files.follow()
        self._follow_servers()
        self._tell()

    @property
    def findings(self) -> list[Finding]:
        """All that is known to be wrong: rules, live answers, preflight unless it is outdated; each once."""
        known = [*self.draft.findings, *self.live.findings]
        if not self.preflight.outdated:
            known += self.preflight.findings
        once = {finding.identity: finding for finding in known}.values()
        return weighed(once, self.draft.spec, self.draft.loaded.place)

    # --- the bundle ------------------------------------------------------------------------------------------

    @property
    def bundle(self) -> BundleLook:
        """What was read of the bundle that the draft named when it was last looked at."""
        return self._bundle.look

    def look_at_bundle(self, *, again: bool = False) -> None:
        """Read in the background which releases the bundle holds; ``again`` although it was read before."""
        directory = self.draft.data.get("bundle")
        if self._asks_servers and isinstance(directory, str) and directory:
            self._bundle.follow(directory, again=again)

    def show_bundle(self, look: BundleLook) -> None:
        """Take what was read elsewhere, for a site whose bundle is not looked at."""
        self._bundle.look = look
        self._tell()

    # --- the servers -----------------------------------------------------------------------------------------

    @property
    def live(self) -> LiveSnapshot:
        """What the servers of the draft last answered."""
        return self._live.snapshot

    def typing_into(self, part: str) -> None:
        """A part of cluster.yaml is being typed into from now on; empty: none is."""
        if part != self._typed_into:
            self._typed_into = part
            self._follow_servers()

    def _follow_servers(self) -> None:
        if self._asks_servers:
            self._live.follow(self.draft.data, self.draft.spec, self._typed_into)

    def show_live(self, snapshot: LiveSnapshot) -> None:
        """Take answers from elsewhere, for a site whose servers are not asked."""
        self._live.snapshot = snapshot
        self._tell()

    def ask_again(self, node: str | None = None) -> None:
        """Ask one server, or all, once more."""
        self._live.ask_again(node)
        self._tell()

    def scan_host_keys(
        self, nodes: Collection[str] = (), on_seen: Callable[[SeenHostKey], None] = lambda _: None
    ) -> Future[list[SeenHostKey]]:
        """The keys that servers of the draft, by default all, show now; logs in nowhere but at bastions.

        Each is told as it comes, from another thread.
        """
        return self.background.submit(self._live.scan(nodes, on_seen))

    def trust(self, keys: Iterable[SeenHostKey]) -> None:
        """Pin keys that the operator has confirmed, then ask those servers again; raises `TransportError`."""
        confirmed = list(keys)
        self.session.known_hosts.pin(confirmed)
        self._preflight.outdate()
        for key in confirmed:
            self._live.ask_again(key.node)
        self._tell()

    # --- secrets ---------------------------------------------------------------------------------------------

    @property
    def has_vault(self) -> bool:
        """Whether the site has a vault."""
        return self.site.vault_file.exists()

    @property
    def unlocked(self) -> bool:
        """Whether the vault is open."""
        return self.session.unlocked

    @property
    def needs_secrets(self) -> bool:
        """Whether the draft names secrets."""
        return self.draft.spec is not None and any(True for _ in secret_references(self.draft.spec))

    def has_secret(self, name: str) -> bool | None:
        """Whether the vault has a secret of that name; None while it is closed."""
        if not self.has_vault:
            return False
        return name in self.session.unlock().names() if self.unlocked else None

    def unlock(self, passphrase: str = "") -> Future[None]:
        """Open the vault, or make one when there is none; raises `VaultError` or `SiteError` through the future."""

        async def open_it() -> None:
            if passphrase:
                self.passphrases.give(passphrase)
            try:
                self.session.unlock(create=True)
            except (VaultError, SiteError):
                self.passphrases.give("")
                raise
            self._live.ask_again()
            self._tell()

        return self.background.submit(open_it())

    def set_secret(self, name: str, value: str) -> Future[None]:
        """Put a secret into the vault, which must be open; raises `VaultError` through the future."""

        async def put() -> None:
            self.session.unlock().set(name, value)
            self._live.ask_again()
            self._tell()

        return self.background.submit(put())

    def _secret(self, name: str) -> str:
        """A secret for a login; raises `CredentialError` while the vault is closed or lacks it."""
        try:
            return self.session.secret(name)
        except (SiteError, VaultError) as error:
            raise CredentialError("", key=f"secret:{name}", reason=str(error)) from None

    # --- preflight, run, health ------------------------------------------------------------------------------

    @property
    def preflight(self) -> Preflight:
        """What preflight has found so far, as the draft weighs it."""
        seen = self._preflight.snapshot
        if self.draft.spec is None or not self.draft.spec.acknowledged:
            return seen
        return replace(seen, findings=tuple(weighed(seen.findings, self.draft.spec, self.draft.loaded.place)))

    def start_preflight(self) -> None:
        """Look at every server of cluster.yaml as it is saved; raises `SiteError` when it cannot be used."""
        self._preflight.start(self.session, self.draft.fingerprint)

    def show_preflight(self, preflight: Preflight) -> None:
        """Take what was found elsewhere, for a site whose servers are not asked."""
        self._preflight.show(preflight)

    def give_up_preflight(self) -> None:
        """Stop looking at the servers; what was found so far stays."""
        self._preflight.give_up()

    def start_preview(self) -> None:
        """Have every step say what it would change; preflight must be done."""
        self._preflight.start_preview(self.session)

    def prepare_run(self) -> None:
        """A run is about to be confirmed: have its runner load meanwhile."""
        self.session.prepare_runner()

    def dismiss_run(self) -> None:
        """It was not confirmed."""
        self.session.dismiss_runner()

    def start_run(self, policy: FailurePolicy = FailurePolicy.ASK) -> Future[None]:
        """Start, or take up an interrupted run of this very plan; raises as `Session.start` through the future."""

        async def begin() -> None:
            interrupted = self.session.interrupted_run()
            if interrupted is not None:
                client = await self.session.take_up(interrupted, RunOptions(policy=policy))
            else:
                client = await self.session.start(self.preflight.facts, RunOptions(policy=policy))
            self._look_at(client)

        return self.background.submit(begin())

    def open_run(self, run_id: str) -> None:
        """Look at an earlier run."""
        self._look_at(RunClient(self.site.run_dir(run_id)))

    def look_for_run(self) -> None:
        """Look at the run under way, else at the newest."""
        client = current_run(self.site)
        if client is not None and (self.run is None or self.run.run_id != client.run_id):
            self._look_at(client)

    def _look_at(self, client: RunClient) -> None:
        if self.run is not None:
            self.run.close()
        self.run = RunFollower(client, self.background, self._tell)
        self._run_was_alive = self.run.alive
        self._tell()

    @property
    def active_run(self) -> RunFollower | None:
        """The run, while a runner has it in its hands."""
        return self.run if self.run is not None and self.run.alive else None

    @property
    def health(self) -> HealthFollower:
        """The cluster's health; `watch_health` starts it."""
        return self._health

    def watch_health(self) -> None:
        """Begin to ask the cluster how it is; harmless when that is going on."""
        if self._asks_servers:
            self._health.start(self.session)

    @property
    def may_have_cluster(self) -> bool:
        """Whether anything was installed from here, as far as the site can tell."""
        return self.run is not None or self.site.kubeconfig_file.exists()

    def look_at_upkeep(self) -> None:
        """Ask the servers for snapshots, and how they stand."""
        if self._asks_servers:
            self.upkeep.look(self.session)
