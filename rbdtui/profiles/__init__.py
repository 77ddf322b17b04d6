"""What can be installed: one file for each profile, and one line here."""

from __future__ import annotations

from typing import Final

from rbdtui.profiles import kubernetes_only, rainbond_3_6, rainbond_5_17, rainbond_6
from rbdtui.profiles.profile import GatewayPort, Profile, Reach

PROFILES: Final[tuple[Profile, ...]] = (
    rainbond_6.PROFILE,
    rainbond_5_17.PROFILE,
    kubernetes_only.PROFILE,
    rainbond_3_6.PROFILE,
)
"""In the order in which they are offered, the usual one first."""
USUAL: Final = PROFILES[0]
RAINBOND_6: Final = rainbond_6.PROFILE
KUBERNETES_ONLY: Final = kubernetes_only.PROFILE


def profile_named(name: object) -> Profile | None:
    """The profile that a value of cluster.yaml names; None when it names none."""
    return next((profile for profile in PROFILES if profile.name == name), None)


def proposed() -> Profile:
    """For a new site: the first of which this version installs everything."""
    return next((profile for profile in PROFILES if profile.is_complete), USUAL)


def optional_sections() -> tuple[str, ...]:
    """Sections of cluster.yaml that some profile has and not every one."""
    return tuple(dict.fromkeys(section for profile in PROFILES for section in profile.sections))


def ports_in_front(profile: Profile, reach: Reach) -> tuple[int, ...]:
    """Ports at the gateways and at the address in front of them.

    Without a gateway of its own it is those of the usual profile: they are kept free, and what is there is told.
    """
    return (profile if profile.has_gateway else USUAL).ports(reach)


__all__ = [
    "KUBERNETES_ONLY",
    "PROFILES",
    "RAINBOND_6",
    "USUAL",
    "GatewayPort",
    "Profile",
    "Reach",
    "optional_sections",
    "ports_in_front",
    "profile_named",
    "proposed",
]
