"""What values of cluster.yaml may be, as types of its sections, and what all sections have in common.

Validators raise `PydanticCustomError` whose type is the code of the finding (its sentences are in the catalogue).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from rbdtui.spec import values


def _numbers(low: int, high: int) -> object:
    return Field(strict=True, ge=low, le=high)


def _in_range(low: int, high: int) -> BeforeValidator:
    return BeforeValidator(values.whole_number_between(low, high))


def _shaped(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(check)


Port = Annotated[int, _numbers(1, 65535), _in_range(1, 65535)]
VirtualRouterId = Annotated[int, _numbers(1, 255), _in_range(1, 255)]
Name = Annotated[str, StringConstraints(pattern=values.NAME_PATTERN), BeforeValidator(values.label)]
"""An RFC 1123 label in lower case: what Kubernetes takes for a node name."""
Domain = Annotated[str, StringConstraints(pattern=values.DOMAIN_PATTERN), BeforeValidator(values.domain)]
"""A DNS name in lower case."""
SecretName = Annotated[str, StringConstraints(pattern=values.SECRET_PATTERN), BeforeValidator(values.secret_reference)]
"""A reference into the vault, ``secret:name``; the value itself never stands in cluster.yaml."""
Address = Annotated[IPv4Address, BeforeValidator(values.ipv4_address)]
AddressWithPrefix = Annotated[IPv4Interface, BeforeValidator(values.ipv4_with_prefix)]
Network = Annotated[IPv4Network, BeforeValidator(values.ipv4_network)]
HostAddress = Annotated[str, _shaped(values.host_address)]
"""An address or a name."""
FilledText = Annotated[str, _shaped(values.filled_text)]
"""Text of one line that is not empty."""
KeyPath = Annotated[str, _shaped(values.local_file)]
"""A path that begins with ``/`` or ``~/``."""
InterfaceName = Annotated[str, _shaped(values.interface_name)]


Setting = Annotated[str | int | bool | list[str], BeforeValidator(values.setting)]
LabelKey = Annotated[str, _shaped(values.label_key)]
LabelValue = Annotated[str, _shaped(values.label_value)]
Taint = Annotated[str, _shaped(values.taint)]
"""``key=value:effect``, or ``key:effect``."""
FindingCode = Annotated[str, StringConstraints(pattern=values.FINDING_PATTERN), BeforeValidator(values.finding_code)]
"""The code of a finding, such as ``RBD-HW-102``."""
RemotePath = Annotated[str, _shaped(values.remote_path)]
"""An absolute path on another machine."""
EndpointAddress = Annotated[str, _shaped(values.endpoint)]
"""``address:port`` or ``name:port``, without a scheme."""
RegistryDomain = Annotated[str, _shaped(values.registry_domain)]
"""A name or address, with a port where that is not the usual one."""
ImageRegistry = Annotated[str, _shaped(values.image_registry)]
"""A registry, and with a slash between them what stands before the names of images there."""
ImageNamespace = Annotated[str, StringConstraints(pattern=values.NAMESPACE_PATTERN), BeforeValidator(values.namespace)]
"""Parts of an image's name, joined by slashes."""


class Section(BaseModel):
    """A part of cluster.yaml; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class ModeKeys:
    """Keys of a section that a mode has a use for, beside the mode itself."""

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def __contains__(self, key: object) -> bool:
        return key in self.needed or key in self.optional


class ModalSection(Section):
    """A section whose mode decides which of its other keys are used."""

    MODES: ClassVar[Mapping[str, ModeKeys]]
    """By mode; a key that no mode names is not of this section."""
    ALIKE: ClassVar[frozenset[str]] = frozenset()
    """Keys that mean the same in every mode that uses them; any other means something else in each."""
    MADE_ON: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """By mode, the keys that name the nodes on which the plan makes a service itself."""

    @property
    def mode_name(self) -> str:
        """The chosen mode, as it is written."""
        return str(getattr(self, "mode"))  # noqa: B009 - each section has its own enumeration of modes
