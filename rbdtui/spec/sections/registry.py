"""The image registry: what is built is pushed there, and every node pulls from it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from pydantic import StrictBool

from rbdtui.spec.types import (
    FilledText,
    ImageNamespace,
    KeyPath,
    ModalSection,
    ModeKeys,
    RegistryDomain,
    SecretName,
)


class RegistryMode(StrEnum):
    """Whose registry it is."""

    BUILTIN = "builtin"
    """Rainbond's own, ``goodrain.me``; one pod with its data on one node."""
    EXTERNAL = "external"


class RegistryScheme(StrEnum):
    """What the registry speaks."""

    HTTPS = "https"
    HTTP = "http"


class Registry(ModalSection):
    """The section ``registry``."""

    MODES: ClassVar[Mapping[str, ModeKeys]] = {
        RegistryMode.BUILTIN: ModeKeys(),
        RegistryMode.EXTERNAL: ModeKeys(
            needed=("domain",),
            optional=("namespace", "username", "password", "scheme", "ca", "insecure_skip_verify"),
        ),
    }

    mode: RegistryMode = RegistryMode.BUILTIN
    domain: RegistryDomain | None = None
    """Name or address with its port where that is not the usual one, e.g. ``hub.corp:5000``; no scheme, no path."""
    namespace: ImageNamespace | None = None
    """What stands between domain and image name, e.g. ``rainbond``."""
    username: FilledText | None = None
    password: SecretName | None = None
    scheme: RegistryScheme = RegistryScheme.HTTPS
    ca: KeyPath | None = None
    """Certificate of the authority that signed the registry's, PEM, a file on this machine."""
    insecure_skip_verify: StrictBool = False
    """Take any certificate: whoever stands in between can then hand out other images."""
