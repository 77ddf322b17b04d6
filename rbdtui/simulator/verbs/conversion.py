"""Scripts of the conversion, on hosts of a Rainbond 3.6 that does something."""

from __future__ import annotations

import io
import json
import posixpath
import tarfile
from collections.abc import Callable, Iterable

from rbdtui.simulator.call import Call, Verb, Verbs
from rbdtui.simulator.files import Kind
from rbdtui.simulator.old_site import HELD, OldError, OldSite


def _site(call: Call) -> tuple[OldSite, str]:
    host = call.machine.old_rainbond
    if host is None or host.site is None:
        raise OldError("no Rainbond 3.6 that does something is simulated here")
    site: OldSite = host.site
    return site, host.server.name


def _refusing(work: Callable[[Call, OldSite, str], Iterable[str]]) -> Verb:
    async def verb(call: Call) -> int:
        try:
            site, name = _site(call)
            asked = (name, call.script, call.args[0])
            site.heard(asked)
            if asked in site.refuses:
                site.refuses.remove(asked)
                raise OldError(f"{call.script} {call.args[0]}: Input/output error")
            for line in work(call, site, name):
                call.line(line)
        except OldError as error:
            return call.fail(str(error), 3)
        return 0

    return verb


def _gluster(call: Call, site: OldSite, name: str) -> Iterable[str]:
    action, *args = call.args
    files = call.machine.files
    if action == "brick":
        files.mkdir(args[0])
    elif action == "peer":
        site.probe(name, args[0])
    elif action == "create":
        site.create(name, tuple(args))
    elif action == "start":
        site.start()
    else:
        site.need_volume(name, args[0])
        mark = f".rbdtui-{args[2]}-"
        if action == "put" and not site.spoils:
            site.on_volume |= {f"{mark}{number}": str(number) for number in range(1, int(args[3]) + 1)}
        elif action == "take":
            return [str(sum(path.startswith(mark) for path in site.on_volume))]
        elif action == "drop":
            site.on_volume = {path: text for path, text in site.on_volume.items() if not path.startswith(mark)}
    return []


def _grdata(call: Call, site: OldSite, name: str) -> Iterable[str]:
    action, *args = call.args
    files = call.machine.files
    held = files.text(HELD).split()
    if action in ("space", "copy", "compare"):
        site.need_volume(name, args[0])
    match action:
        case "users":
            return site.busy.get(name, [])
        case "space":
            return ["100", "1000000"]
        case "copy":
            site.on_volume = {} if site.spoils else dict(site.shared(name))
        case "compare":
            here = site.shared(name)
            differing = sorted(
                path for path in here.keys() | site.on_volume if here.get(path) != site.on_volume.get(path)
            )
            return [*(f"different {path}" for path in differing), f"files {len(site.on_volume)}"]
        case "hold":
            files.put(HELD, "".join(f"{each}\n" for each in sorted({*held, *args})), mode=0o600)
            site.stop(name, *args)
        case "held":
            return held
        case "release":
            if held:
                site.up(name, *held)
                files.remove(HELD)
        case "mount":
            site.mount(name)
        case "unmount":
            site.unmount(name)
    return []


def _compose(call: Call, site: OldSite, name: str) -> Iterable[str]:
    action, *args = call.args
    host = site.hosts[name]
    match action:
        case "up" | "restart":
            site.up(name, *args)
        case "all":
            site.remove_orphans(name)
        case "drop":
            site.stop(name, *args)
        case "image":
            return [image for image in args if image in site.lacks]
        case "pull":
            site.pull(name)
        case "command":
            return [json.dumps(site.commands.get((name, args[0]), []))] if args[0] in host.containers else []
        case "kubelet":
            return [site.resolvers.get(name, "")]
        case "region":
            row = host.region.rstrip("\n").split("\t")
            row[{"tcpdomain": 1, "wsurl": 2}[args[0]]] = args[1]
            host.region = "\t".join(row) + "\n"
    return []


async def tree(call: Call) -> int:
    """``tree pack PATH``, ``tree put|back PATH BACKUP_DIR``."""
    action, path = call.args[:2]
    files = call.machine.files
    if action == "pack":
        if not files.is_dir(path):
            return 2
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for place in files.walk(path):
                entry = files.get(place)
                if entry is not None and entry.kind is Kind.FILE:
                    info = tarfile.TarInfo(place.removeprefix(f"{path}/"))
                    info.size, info.mode = len(entry.content), entry.mode
                    archive.addfile(info, io.BytesIO(bytes(entry.content)))
        call.out(packed.getvalue())
        return 0
    kept = f"{call.args[2]}{path}"
    if action == "back":
        files.remove(path)
        if files.exists(kept):
            files.rename(kept, path)
        return 0
    if files.exists(path) and not files.exists(kept):
        files.mkdir(posixpath.dirname(kept))
        files.rename(path, kept)
    with tarfile.open(fileobj=io.BytesIO(await call.payload())) as archive:
        found = {member.name: (archive.extractfile(member), member.mode) for member in archive if member.isfile()}
        files.remove(path)
        files.mkdir(path)
        for name, (content, mode) in found.items():
            files.put(f"{path}/{name}", content.read() if content is not None else b"", mode=mode)
    return 0


VERBS: Verbs = {
    "gluster": _refusing(_gluster),
    "grdata": _refusing(_grdata),
    "old-compose": _refusing(_compose),
    "tree": tree,
}
