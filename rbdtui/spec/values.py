"""What single values of cluster.yaml may be; each check raises the code of its finding, never the value itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, IPv4Network, IPv6Address, ip_address
from typing import Final, NoReturn

from pydantic_core import PydanticCustomError

from rbdtui import profiles
from rbdtui.profiles import Profile, profile_named
from rbdtui.words import catalogue

NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DOMAIN_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$"
MAX_NODES: Final = 250
"""As many servers as one /24 has; larger clusters are planned by hand in cluster.yaml."""
SECRET_PREFIX: Final = "secret:"  # noqa: S105 - the mark of a reference, not a secret
SECRET_NAME_PATTERN: Final = r"[a-z0-9][-a-z0-9_.]{0,62}"  # noqa: S105 - a pattern
SECRET_PATTERN: Final = f"^{SECRET_PREFIX}{SECRET_NAME_PATTERN}$"

_LABEL_WORD = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LABEL_KEY_PATTERN: Final = rf"^([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_LABEL_WORD}$"
LABEL_VALUE_PATTERN: Final = rf"^({_LABEL_WORD})?$"
TAINT_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
FINDING_PATTERN: Final = r"^RBD-[A-Z]+-[0-9]{3}$"
RAINBOND_VERSION_PATTERN: Final = r"^v[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(-[a-z0-9][a-z0-9.-]{0,30})?$"
NAMESPACE_PATTERN: Final = r"^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"
"""Of the parts of an image's name (distribution/reference, regexp.go)."""

_LABEL_KEY = re.compile(LABEL_KEY_PATTERN.removesuffix("$") + r"\Z")
_LABEL_VALUE = re.compile(LABEL_VALUE_PATTERN.removesuffix("$") + r"\Z")
_FINDING = re.compile(FINDING_PATTERN.removesuffix("$") + r"\Z")
_RAINBOND_VERSION = re.compile(RAINBOND_VERSION_PATTERN.removesuffix("$") + r"\Z")
_NAMESPACE = re.compile(NAMESPACE_PATTERN.removesuffix("$") + r"\Z")
_LONGEST_NAMESPACE = 200
_LABEL = re.compile(NAME_PATTERN.removesuffix("$") + r"\Z")
_DOMAIN = re.compile(DOMAIN_PATTERN.removesuffix("$") + r"\Z")
_SECRET = re.compile(SECRET_PATTERN.removesuffix("$") + r"\Z")
_HOST_NAME = re.compile(r"(?=.{1,300}\Z)[A-Za-z0-9]([-A-Za-z0-9_]{0,62})?(\.[A-Za-z0-9]([-A-Za-z0-9_]{0,62})?)*\.?\Z")
_INTERFACE = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_.]{0,14}\Z")
_LINE_END_OR_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST_DOMAIN = 253
_HIGHEST_PORT = 65535


def refuse(code: str, **params: str | int) -> NoReturn:
    """Raise the finding of that code out of a validator."""
    raise PydanticCustomError(code, code, params)


def whole_number_between(low: int, high: int) -> Callable[[object], object]:
    """A check that names both ends of the range; other types are left to pydantic."""

    def check(value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool) and not low <= value <= high:
            refuse("RBD-SPEC-007", low=low, high=high)
        return value

    return check


def label(value: object) -> object:
    """A node or site name."""
    if isinstance(value, str) and not _LABEL.match(value):
        suggestion = label_like(value)
        if suggestion:
            refuse("RBD-SPEC-012", suggestion=suggestion)
        refuse("RBD-SPEC-011")
    return value


def label_like(value: str) -> str:
    """The allowed name that comes nearest to a text; empty when nothing of it can stay."""
    return re.sub(r"[^a-z0-9]+", "-", value.lower())[:63].strip("-")


def domain(value: object) -> object:
    """A DNS name in lower case, no address."""
    if isinstance(value, str) and (
        len(value) > _LONGEST_DOMAIN or not _DOMAIN.match(value) or value.rsplit(".", 1)[-1].isdigit()
    ):
        refuse("RBD-SPEC-013")
    return value


def is_object_name(value: str) -> bool:
    """Whether Kubernetes takes it as the name of an object such as a StorageClass: a DNS subdomain."""
    return len(value) <= _LONGEST_DOMAIN and _DOMAIN.match(value) is not None


def host_address(value: str) -> str:
    """The address or name of a host that rbdtui only connects to."""
    try:
        ip_address(value)
    except ValueError:
        if len(value) > _LONGEST_DOMAIN or not _HOST_NAME.match(value) or re.fullmatch(r"[0-9.]+", value):
            refuse("RBD-SPEC-014")
    return value


def filled_text(value: str) -> str:
    """One line, not empty, no control characters, no blanks at its ends."""
    if not value or value != value.strip() or _LINE_END_OR_CONTROL.search(value):
        refuse("RBD-SPEC-015")
    return value


def local_file(value: str) -> str:
    """A path that means the same wherever rbdtui is started."""
    if not filled_text(value).startswith(("/", "~/")):
        refuse("RBD-SPEC-017")
    return value


def remote_path(value: str) -> str:
    """An absolute path on another machine, without steps up."""
    if not filled_text(value).startswith("/") or ".." in value.split("/"):
        refuse("RBD-SPEC-050")
    return value


def endpoint(value: str) -> str:
    """A host and its port; a scheme is told apart from any other mistake."""
    if "://" in value:
        refuse("RBD-SPEC-052", suggestion=value.partition("://")[2].split("/")[0][:60])
    host, colon, port = value.rpartition(":")
    if not colon or not _is_port(port):
        refuse("RBD-SPEC-051")
    host_address(host)
    return value


def registry_domain(value: str) -> str:
    """Where a registry is, as it stands in front of an image's name: lower case, no scheme, no path."""
    bare = value.partition("://")[2] or value
    if "://" in value or "/" in value:
        refuse("RBD-SPEC-053", suggestion=bare.split("/")[0].lower()[:60])
    if value != value.lower():
        refuse("RBD-SPEC-054", suggestion=value.lower()[:60])
    host, colon, port = value.partition(":")
    if colon and not _is_port(port):
        refuse("RBD-SPEC-055")
    host_address(host)
    return value


def image_registry(value: str) -> str:
    """A registry, with or without a path below it."""
    domain, slash, path = value.partition("/")
    if "://" in value:
        registry_domain(value)
    registry_domain(domain)
    if slash:
        namespace(path)
    return value


def _is_port(text: str) -> bool:
    return bool(re.fullmatch(r"[1-9][0-9]{0,4}", text, re.ASCII)) and int(text) <= _HIGHEST_PORT


def namespace(value: object) -> object:
    """What stands between a registry and the name of an image."""
    if isinstance(value, str) and (len(value) > _LONGEST_NAMESPACE or not _NAMESPACE.match(value)):
        refuse("RBD-SPEC-056")
    return value


def label_key(value: str) -> str:
    """The key of a Kubernetes label: a name, with a domain and a slash before it or without."""
    if not _LABEL_KEY.match(value):
        refuse("RBD-NODE-001")
    return value


def label_value(value: str) -> str:
    """The value of a Kubernetes label; it may be empty."""
    if not _LABEL_VALUE.match(value):
        refuse("RBD-NODE-002")
    return value


def taint(value: str) -> str:
    """A taint as Kubernetes writes it: ``key=value:effect``, the value with its sign may be missing."""
    tainted, colon, effect = value.rpartition(":")
    key, _, worth = tainted.partition("=")
    if not colon or effect not in TAINT_EFFECTS or not _LABEL_KEY.match(key) or not _LABEL_VALUE.match(worth):
        refuse("RBD-NODE-003", effects=", ".join(TAINT_EFFECTS))
    return value


def finding_code(value: object) -> object:
    """A code that rbdtui has a sentence for."""
    if isinstance(value, str) and (not _FINDING.match(value) or f"finding.{value}.message" not in catalogue("en")):
        refuse("RBD-ACK-001")
    return value


def rainbond_version(value: object) -> object:
    """A release of Rainbond."""
    if isinstance(value, str) and not _RAINBOND_VERSION.match(value):
        refuse("RBD-SPEC-057")
    return value


def interface_name(value: str) -> str:
    """A name that Linux gives to an interface (at most 15 characters), without those that only confuse."""
    if not _INTERFACE.match(value):
        refuse("RBD-SPEC-016")
    return value


def ipv4_address(value: object) -> IPv4Address:
    """An IPv4 address written as text; names, IPv6 and prefixes are told apart."""
    if isinstance(value, IPv4Address):
        return value
    if not isinstance(value, str):
        refuse("RBD-SPEC-020")
    try:
        return IPv4Address(value)
    except AddressValueError:
        _refuse_other_than_ipv4(value)


def _refuse_other_than_ipv4(value: str) -> NoReturn:
    address, _, prefix = value.partition("/")
    if _is_ipv6(address):
        refuse("RBD-SPEC-022")
    if prefix and is_ipv4(address):
        refuse("RBD-SPEC-023", address=address)
    if re.search(r"[A-Za-z]", value) and _HOST_NAME.match(value):
        refuse("RBD-SPEC-021")
    refuse("RBD-SPEC-020")


def is_ipv4(value: str) -> bool:
    """Whether a text is an IPv4 address."""
    try:
        IPv4Address(value)
    except AddressValueError:
        return False
    return True


def _is_ipv6(value: str) -> bool:
    try:
        IPv6Address(value.strip("[]"))
    except AddressValueError:
        return False
    return True


def ipv4_with_prefix(value: object) -> IPv4Interface:
    """An address with the length of its network's prefix, which must be written."""
    if isinstance(value, IPv4Interface):
        return value
    if not isinstance(value, str):
        refuse("RBD-SPEC-025")
    if is_ipv4(value):
        refuse("RBD-SPEC-024", address=value)
    if _is_ipv6(value.partition("/")[0]):
        refuse("RBD-SPEC-022")
    if not re.fullmatch(r"[0-9.]+/[0-9]{1,2}", value):
        refuse("RBD-SPEC-025")
    try:
        return IPv4Interface(value)
    except ValueError:
        refuse("RBD-SPEC-025")


def ipv4_network(value: object) -> IPv4Network:
    """A network in CIDR notation without host bits."""
    if isinstance(value, IPv4Network):
        return value
    if not isinstance(value, str):
        refuse("RBD-SPEC-026")
    if _is_ipv6(value.partition("/")[0]):
        refuse("RBD-SPEC-022")
    if not re.fullmatch(r"[0-9.]+/[0-9]{1,2}", value):
        refuse("RBD-SPEC-026")
    try:
        network = IPv4Network(value, strict=False)
    except ValueError:
        refuse("RBD-SPEC-026")
    if str(network) != value:
        refuse("RBD-SPEC-027", network=str(network))
    return network


def secret_reference(value: object) -> object:
    """A reference into the vault; anything else is taken for a secret in clear and never shown."""
    if not isinstance(value, str) or not value.startswith(SECRET_PREFIX):
        refuse("RBD-SPEC-030")
    if not _SECRET.match(value):
        refuse("RBD-SPEC-031")
    return value


def is_secret_reference(value: str) -> bool:
    """Whether a text is a reference into the vault."""
    return _SECRET.match(value) is not None


def known_profile(value: object) -> Profile:
    """A profile, by the name that it has in cluster.yaml."""
    profile = value if isinstance(value, Profile) else profile_named(value)
    if profile is None:
        expected = " or ".join(f"'{known.name}'" for known in profiles.PROFILES)
        raise PydanticCustomError("enum", "unknown profile", {"expected": expected})
    return profile


def setting(value: object) -> object:
    """A value that is passed through to RKE2: text, whole number, true/false or a list of texts."""
    if isinstance(value, list):
        if not all(isinstance(item, str) for item in value):
            refuse("RBD-SPEC-033")
    elif isinstance(value, float) or not isinstance(value, str | int):
        refuse("RBD-SPEC-032")
    return value
