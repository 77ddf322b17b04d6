"""A highly available Kubernetes, and KubeSphere on top of it where that is wanted."""

from __future__ import annotations

from typing import Final

from rbdtui.profiles.limits import GIB, STAGING, DiskNeed, Limits
from rbdtui.profiles.profile import Profile
from rbdtui.roles import Role

PROFILE: Final = Profile(
    name="kubernetes-only",
    roles=tuple(role for role in Role if role is not Role.BUILD),
    # RKE2 states no figures; ours: 1.2 GiB of image archives, as much again in containerd's store, 3.5 GiB unpacked,
    # 0.5 GiB of programs, 1.5 GiB for etcd with its snapshots and for containers.
    limits=Limits(disks={"/var/lib/rancher": DiskNeed(8 * GIB, 20 * GIB), **STAGING}),
    sections=("kubesphere",),
)
