"""Variables in a file of their own: kubespray's ``group_vars``, KubeSphere 2's ``vars.yml`` and ``common.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rbdtui.importers.ansible_settings import BALANCER, DOMAIN, NETWORKS, flattened, setting_of, why_not
from rbdtui.importers.imported import Hidden, Imported, Notes, Setting
from rbdtui.importers.importer import Importer, Match
from rbdtui.importers.yaml_fields import documents
from rbdtui.words import T

_KNOWN: Final = re.compile(
    rf"^(?:{BALANCER}|{DOMAIN}|{'|'.join(NETWORKS)}|kube_version|kube_network_plugin|ks_version|ansible_user):",
    re.MULTILINE,
)
_LOGIN: Final[Mapping[str, str]] = {
    "ansible_user": "ssh.user", "ansible_ssh_user": "ssh.user", "ansible_port": "ssh.port",
    "ansible_ssh_private_key_file": "ssh.key", "ansible_password": "ssh.password", "ansible_ssh_pass": "ssh.password",
    "ansible_become_password": "ssh.sudo_password", "ansible_become_pass": "ssh.sudo_password",
}  # fmt: skip


class _AnsibleVars:
    name = "ansible-vars"

    def matches(self, text: str) -> Match:
        """At the top variables that these playbooks have, and no groups."""
        return Match.LIKELY if _KNOWN.search(text) else Match.NO

    def read(self, text: str) -> Imported:
        """No servers stand in it, only settings."""
        notes, settings = Notes(), dict[str, Setting]()
        for document in documents(text, notes):
            lost = BALANCER in document and "address" in document
            for key, value, line in flattened(document):
                found = _login(key, value) or setting_of(key, value)
                if found is not None and "{{" not in value:
                    settings.update(found)
                elif lost and key in ("address", "port"):
                    notes.refuse(line, key, T("import.outdented", section=BALANCER))
                else:
                    why = T("import.template") if "{{" in value else why_not(key)
                    notes.remark(line, key[:60], why)
            document.tell_rest()
        return notes.imported(self.name, [], settings)


def _login(key: str, text: str) -> dict[str, Setting] | None:
    path = _LOGIN.get(key)
    if path is None:
        return None
    if path.endswith("password"):
        return {path: Hidden(text)}
    if path == "ssh.port":
        return {path: int(text)} if re.fullmatch("[0-9]{1,5}", text, re.ASCII) else None
    return {path: text}


IMPORTER: Final[Importer] = _AnsibleVars()
