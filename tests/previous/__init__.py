"""A site as the version of commit 9df2fb1 left it: a run that ended well, one that was killed, a draft, a vault.

Its hosts were simulated. What depends on where it stands (``@SITE@``, ``@BUNDLE@``, ``@PORT@``) is filled in.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from rbdtui.engine.inputs import spec_digest
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site

ENDED, KILLED = "20261128-0507-d3fd", "20261128-0508-05af"
PASSPHRASE = "correct horse"
SECRETS = {"rke2-token": "token-of-the-previous-version-0123456789", "vrrp-password": "oldVRRP1"}
_SITE = Path(__file__).with_name("site")
_KEY = "demo-key"


def previous_site(directory: Path, fleet: SimulatedFleet, bundle: Path) -> Site:
    """The site at a new directory, with a fleet of one host in place of the host it was made for."""
    shutil.copytree(_SITE, directory)
    directory.chmod(0o700)
    places = {"@SITE@": str(directory), "@BUNDLE@": str(bundle), "@PORT@": str(fleet.port)}
    for pattern in ("cluster.yaml", "draft.json", "runs/*/spec.yaml", "runs/*/events.jsonl"):
        for file in directory.glob(pattern):
            text = file.read_text(encoding="utf-8")
            for placeholder, value in places.items():
                text = text.replace(placeholder, value)
            file.write_text(text, encoding="utf-8")
    for journal in directory.glob("runs/*/events.jsonl"):
        digest = spec_digest(journal.with_name("spec.yaml").read_bytes())
        text = journal.read_text(encoding="utf-8")
        journal.write_text(re.sub(r'"spec_sha256":"[0-9a-f]+"', f'"spec_sha256":"{digest}"', text), encoding="utf-8")
    (directory / _KEY).touch(mode=0o600)
    (directory / _KEY).write_bytes(fleet.client_key.export_private_key())
    (directory / "known_hosts").write_text(fleet.known_hosts)
    (directory / "passphrase").write_text(PASSPHRASE)
    return Site.open(directory)
