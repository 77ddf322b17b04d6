"""A Rainbond 3.6 that stands: compared with its page on minimal high availability, not installed.

Roles, ports and names: goodrain/rainbond-docs@v3.7.2, v3.6/operation-manual/cluster-management/haminimal-install.md.
"""

from __future__ import annotations

from typing import Final

from rbdtui.profiles.limits import GIB, DiskNeed, Limits
from rbdtui.profiles.profile import Profile
from rbdtui.roles import Role

PROFILE: Final = Profile(
    name="rainbond-3.6",
    roles=(Role.CONTROL_PLANE, Role.ETCD, Role.WORKER, Role.GATEWAY),
    # Nothing is installed, so that nothing is asked of a host: the figure only says where the data is.
    limits=Limits(disks={"/opt/rainbond": DiskNeed(GIB, 10 * GIB)}),
    sections=("glusterfs",),
    directories=("/opt/rainbond", "/grdata"),
    is_complete=False,
    audit_only=True,
)
