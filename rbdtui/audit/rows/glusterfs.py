"""Rows C7 to C20: a volume with a copy on both compute nodes, mounted at /grdata on all three servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from rbdtui.audit.files.gluster import CONNECTED, Volume
from rbdtui.audit.files.lines import FstabLine
from rbdtui.audit.row import ByHand, Group, Part, RowSpec, RowState, broken, each, listening, there, value
from rbdtui.audit.row import at_line as line_part
from rbdtui.audit.seen import SeenHost, SeenSite
from rbdtui.audit.target import GRDATA, Server, Target
from rbdtui.words import T

_FSTAB: Final = "/etc/fstab"
_SPARE_OPTIONS: Final = ("backupvolfile-server=", "backup-volfile-servers=")
"""The second is the newer spelling; mount.glusterfs takes both."""
_SAFE: Final = frozenset({"_netdev", "nofail"})
GLUSTER_PORT: Final = 24007


def _disk(site: SeenSite) -> Iterator[Part]:
    place = site.target.brick_mount

    def look(host: SeenHost) -> Iterator[Part]:
        yield from broken(host, _FSTAB, host.fstab_read.problems)
        mount = host.mounted_at(place)
        seen = f"{mount.device} {mount.kind}" if mount is not None else ""
        wanted = mount is not None and mount.kind == "xfs" and site.target.disk in ("", mount.device)
        yield value(host, place, seen, good=wanted)
        lines = host.fstab_read.at(place)
        if not lines:
            yield Part(host.name, RowState.DIFFERS, T("audit.seen.no_fstab", place=place))
        for line in lines:
            weak = not line.device.startswith("UUID=") or "nofail" not in line.options
            yield _fstab_part(host, line, good=True, weak=weak)

    return each(site.computes, look, "fstab", "audit_mounts")


def _fstab_part(host: SeenHost, line: FstabLine, *, good: bool, weak: bool = False) -> Part:
    seen = f"{line.device} {line.place} {line.kind} {','.join(line.options)}"
    return line_part(host, _FSTAB, line.line, seen, good=good, weak=weak)


def _format(target: Target) -> Iterator[ByHand]:
    disk, place = target.disk or "/dev/DISK", target.brick_mount
    for server in target.computes:
        yield ByHand(
            server.name,
            f"lsblk -f {disk}; wipefs -n {disk}\n"
            f"mkfs.xfs {disk}\n"
            f"mkdir -p {place}\n"
            f'echo "UUID=$(blkid -s UUID -o value {disk}) {place} xfs defaults,nofail 1 2" >>/etc/fstab\n'
            f"mount {place}",
        )


def _packages(site: SeenSite) -> Iterator[Part]:
    versions = {host.gluster.version for host in site.computes if host.gluster.version}

    def look(host: SeenHost) -> Iterator[Part]:
        installed = "glusterd" in host.programs
        yield there(host, f"glusterd {host.gluster.version}".strip(), good=installed)
        if installed and len(versions) > 1:
            yield Part(host.name, RowState.DIFFERS, T("audit.seen.versions", versions=", ".join(sorted(versions))))

    return each(site.computes, look, "audit_programs", "gluster")


def _service(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        state = host.units.get("glusterd")
        seen = f"{state.active}, {state.enabled}" if state is not None else ""
        yield value(host, "glusterd", seen, good=seen == "active, enabled")
        yield listening(host, GLUSTER_PORT)

    return each(site.computes, look, "audit_units", "sockets")


def _names(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        for server in site.target.servers:
            seen = host.names.get(server.name, "")
            yield value(host, server.name, seen, good=seen == server.address)

    return each(site.all, look, "audit_names")


def _host_lines(target: Target) -> Iterator[ByHand]:
    lines = "\n".join(f"{server.address} {server.name}" for server in target.servers)
    for server in target.servers:
        yield ByHand(server.name, f"cat >>/etc/hosts <<'END'\n{lines}\nEND")


def _peers(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        peers = host.gluster.peers
        if peers is None:
            yield _unanswered(host, "peers")
            return
        for other in site.target.computes:
            if other == host.server:
                continue
            found = next((peer for peer in peers if {other.name, other.address} & set(peer.names)), None)
            seen = "" if found is None else CONNECTED if found.connected else found.state or "Disconnected"
            yield value(host, other.name, seen, good=found is not None and found.connected)

    return each(site.computes, look, "gluster")


def _unanswered(host: SeenHost, question: str) -> Part:
    """gluster is not there, has nobody to ask, or did not answer."""
    words = host.gluster.words.get(question, "")
    if not words:
        return Part(host.name, RowState.DIFFERS, T("audit.seen.no_gluster"))
    if (unit := host.units.get("glusterd")) is not None and unit.active in ("inactive", "failed"):
        return Part(host.name, RowState.DIFFERS, T("audit.seen.glusterd_stopped"))
    return Part(host.name, RowState.UNKNOWN, T("audit.seen.gluster", words=words))


def _volume(host: SeenHost, name: str) -> Volume | None:
    return next((volume for volume in host.gluster.volumes or () if volume.name == name), None)


def _of_volume(site: SeenSite, look: Callable[[SeenHost, Volume], Iterable[Part]]) -> Iterator[Part]:
    """Look at the volume as each compute node sees it."""

    def seen(host: SeenHost) -> Iterator[Part]:
        volume = _volume(host, site.target.volume)
        if host.gluster.volumes is None:
            yield _unanswered(host, "volumes")
        elif volume is None:
            names = ", ".join(volume.name for volume in host.gluster.volumes) or "-"
            yield Part(host.name, RowState.DIFFERS, T("audit.seen.no_volume", name=site.target.volume, names=names))
        else:
            yield from look(host, volume)

    return each(site.computes, seen, "gluster")


def _made(site: SeenSite) -> Iterator[Part]:
    target = site.target

    def look(host: SeenHost, volume: Volume) -> Iterator[Part]:
        bricks = [brick.name for brick in volume.bricks]
        good = sorted(map(target.brick_by_name, bricks)) == sorted(target.bricks)
        yield value(host, target.volume, " ".join(bricks), good=good)
        replicas = f"replica {volume.replicas}" + (f" arbiter {volume.arbiters}" if volume.arbiters else "")
        wanted = 3 if target.arbiter else 2
        good = volume.replicas == wanted and bool(volume.arbiters) == target.arbiter
        yield value(host, target.volume, replicas, good=good, weak=not volume.arbiters)

    return _of_volume(site, look)


def _make(target: Target) -> Iterator[ByHand]:
    first, second = target.computes
    bricks = " ".join(target.bricks)
    for server in (first, second, *((target.manage,) if target.arbiter else ())):
        yield ByHand(server.name, f"mkdir -p {target.brick}")
    kind = "replica 3 arbiter 1" if target.arbiter else "replica 2"
    yield ByHand(first.name, f"gluster --mode=script volume create {target.volume} {kind} {bricks}")


def _started(site: SeenSite) -> Iterator[Part]:
    target = site.target

    def look(host: SeenHost, volume: Volume) -> Iterator[Part]:
        yield value(host, target.volume, volume.status, good=volume.status == "Started")
        if volume.status != "Started":
            return
        online, healing = host.gluster.online, host.gluster.healing
        if online is None:
            yield _unanswered(host, "status")
        else:
            for brick in volume.bricks:
                up = online.get(brick.name, False)
                yield value(host, brick.name, "online" if up else "offline", good=up)
        if healing is None:
            yield _unanswered(host, "heal")
        else:
            for each_brick in healing:
                seen = f"{each_brick.status}, heal {'?' if each_brick.entries is None else each_brick.entries}"
                yield value(host, each_brick.brick, seen, good=each_brick.entries == 0)

    return _of_volume(site, look)


def _tried(site: SeenSite) -> Iterator[Part]:
    for server in site.target.computes:
        yield Part(server.name, RowState.NOTE, T("audit.seen.not_tried"))


def _try(target: Target) -> Iterator[ByHand]:
    first, second = target.computes
    yield ByHand(first.name, f"mount -t glusterfs {first.name}:/{target.volume} /mnt && touch /mnt/tried")
    yield ByHand(second.name, f"mount -t glusterfs {second.name}:/{target.volume} /mnt && ls -l /mnt/tried")
    yield ByHand(first.name, "rm /mnt/tried; umount /mnt")
    yield ByHand(second.name, "umount /mnt")


def _client(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        yield there(host, "mount.glusterfs", good="mount.glusterfs" in host.programs)

    return each(site.all, look, "audit_programs")


def _copied(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        mount = host.mounted_at(GRDATA)
        if mount is not None and mount.kind == "fuse.glusterfs":
            yield Part(host.name, RowState.NOTE, T("audit.seen.copied"))
        else:
            yield Part(host.name, RowState.DIFFERS, T("audit.seen.own_disk", place=GRDATA))

    return each((site.manage,), look, "audit_mounts")


def _copy(target: Target) -> Iterator[ByHand]:
    first = target.computes[0]
    yield ByHand(
        target.manage.name,
        "dc-compose stop rbd-hub rbd-repo rbd-api rbd-worker rbd-chaos rbd-eventlog rbd-app-ui\n"
        f"mount -t glusterfs {first.name}:/{target.volume} /mnt\n"
        f"rsync -aHAX --numeric-ids --delete {GRDATA}/ /mnt/\n"
        f"rsync -aHAXnc --numeric-ids --delete --itemize-changes {GRDATA}/ /mnt/   # must print nothing\n"
        "umount /mnt",
    )


def _fstab(hosts: Callable[[SeenSite], Iterable[SeenHost]]) -> Callable[[SeenSite], Iterator[Part]]:
    def rows(site: SeenSite) -> Iterator[Part]:
        def look(host: SeenHost) -> Iterator[Part]:
            yield from broken(host, _FSTAB, host.fstab_read.problems)
            lines = host.fstab_read.at(GRDATA)
            if not lines:
                yield Part(host.name, RowState.DIFFERS, T("audit.seen.no_fstab", place=GRDATA))
            for line in lines:
                yield _fstab_part(host, line, **fstab_fits(site.target, host.server, line, len(lines)))

        return each(hosts(site), look, "fstab")

    return rows


def fstab_fits(target: Target, server: Server, line: FstabLine, count: int) -> dict[str, bool]:
    """Whether one of ``count`` lines for the shared data is ``good`` on a server, and whether it could be better."""
    own, spare = target.volume_server(server)
    spares = [option.partition("=")[2] for option in line.options if option.startswith(_SPARE_OPTIONS)]
    device = {f"{name}:{slash}{target.volume}" for name in (own.name, own.address) for slash in ("/", "")}
    fits = line.kind == "glusterfs" and line.device in device
    good = count == 1 and fits and any(each in (spare.name, spare.address) for each in spares)
    return {"good": good, "weak": not set(line.options) >= _SAFE}


def _fstab_by_hand(manages: bool) -> Callable[[Target], Iterator[ByHand]]:
    def steps(target: Target) -> Iterator[ByHand]:
        servers = (target.manage, target.computes[0]) if manages else (target.computes[1],)
        for server in servers:
            yield ByHand(
                server.name,
                "cp -p /etc/fstab /etc/fstab.before-glusterfs\n"
                f"sed -i '\\|[[:space:]]{GRDATA}[[:space:]]|s/^/# /' /etc/fstab\n"
                f"echo '{target.fstab_line(server)}' >>/etc/fstab",
            )

    return steps


def _mounted(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        mount = host.mounted_at(GRDATA)
        seen = f"{mount.device} {mount.kind}" if mount is not None else ""
        yield value(host, GRDATA, seen, good=mount is not None and mount.kind == "fuse.glusterfs")
        if mount is not None and host.grdata_answers != "yes":
            words = host.grdata_answers.removeprefix("no").strip() or "-"
            yield Part(host.name, RowState.DIFFERS, T("audit.seen.silent", place=GRDATA, words=words))

    return each(site.all, look, "audit_mounts", "grdata_answers")


def _mount(target: Target) -> Iterator[ByHand]:
    for server in target.servers:
        yield ByHand(server.name, f"umount {GRDATA}; mount {GRDATA} && findmnt -t fuse.glusterfs {GRDATA}")


def _users(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        for name, (_, service) in sorted(host.services.items()):
            places = sorted({volume.partition(":")[0] for volume in service.volumes if volume.startswith(GRDATA)})
            if places:
                yield Part(host.name, RowState.NOTE, T("audit.seen.uses", name=name, places=", ".join(places)))

    return each((site.manage,), look, "compose_files")


def _install_server(target: Target) -> Iterator[ByHand]:
    for server in target.computes:
        yield ByHand(server.name, "yum install -y centos-release-gluster\nyum install -y glusterfs-server")


def _install_client(target: Target) -> Iterator[ByHand]:
    for server in target.servers:
        yield ByHand(server.name, "yum install -y centos-release-gluster\nyum install -y glusterfs-fuse")


def _enable(target: Target) -> Iterator[ByHand]:
    for server in target.computes:
        yield ByHand(server.name, "systemctl enable glusterd\nsystemctl start glusterd")


def _probe(target: Target) -> Iterator[ByHand]:
    first, second = target.computes
    yield ByHand(first.name, f"gluster peer probe {second.name}")
    if target.arbiter:
        yield ByHand(first.name, f"gluster peer probe {target.manage.name}")
    yield ByHand(second.name, f"gluster peer status   # {first.name}: Connected")


def _start(target: Target) -> Iterator[ByHand]:
    first, second = target.computes
    yield ByHand(first.name, f"gluster volume start {target.volume}\ngluster volume heal {target.volume} info")
    yield ByHand(second.name, f"gluster volume status {target.volume}")


ROWS: Final = (
    RowSpec("C7", Group.GLUSTERFS, _disk, _format),
    RowSpec("C8", Group.GLUSTERFS, _packages, _install_server),
    RowSpec("C9", Group.GLUSTERFS, _service, _enable),
    RowSpec("C10", Group.GLUSTERFS, _names, _host_lines),
    RowSpec("C11", Group.GLUSTERFS, _peers, _probe),
    RowSpec("C12", Group.GLUSTERFS, _made, _make),
    RowSpec("C13", Group.GLUSTERFS, _started, _start, carries=True),
    RowSpec("C14", Group.GLUSTERFS, _tried, _try),
    RowSpec("C15", Group.GLUSTERFS, _client, _install_client),
    RowSpec("C16", Group.GLUSTERFS, _copied, _copy),
    RowSpec("C17", Group.GLUSTERFS, _fstab(lambda site: (site.manage, site.computes[0])), _fstab_by_hand(manages=True),
            carries=True),
    RowSpec("C18", Group.GLUSTERFS, _fstab(lambda site: site.computes[1:]), _fstab_by_hand(manages=False),
            carries=True),
    RowSpec("C19", Group.GLUSTERFS, _mounted, _mount, carries=True),
    RowSpec("C20", Group.GLUSTERFS, _users),
)  # fmt: skip
