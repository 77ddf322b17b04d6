"""How each contender is started on a scene, with the best settings that its documentation names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers import Peer
from benchmarks.scene import Scene

ROOT = Path(__file__).resolve().parent.parent.parent
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Start:
    """A program to run."""

    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = ROOT
    waits: bool = False
    """It loads, makes the file that its last argument names, and begins when its stdin is closed."""


@dataclass(frozen=True)
class Contender:
    """One way to do the work."""

    name: str
    title: str
    start: Callable[[Scene], Start]
    after: Callable[[Scene], None] = lambda _: None
    """Puts away what would make the next run warmer than the first."""


def engine() -> Contender:
    """A run by rbdtui's engine."""
    return Contender(
        "rbdtui-engine",
        "rbdtui (engine, journal)",
        lambda scene: Start([sys.executable, "-m", "benchmarks.ours", "run", str(scene.file)]),
        lambda scene: shutil.rmtree(scene.file.with_suffix(".site"), ignore_errors=True),
    )


def prepared_engine() -> Contender:
    """A run by rbdtui's engine as the product starts it: loaded while the question is read, timed from the consent."""
    return Contender(
        "rbdtui-engine-prepared",
        "rbdtui (engine, journal; loaded while the question is read)",
        lambda scene: Start(
            [sys.executable, "-m", "benchmarks.ours", "waiting", str(scene.file), str(scene.directory / "loaded")],
            waits=True,
        ),
        lambda scene: shutil.rmtree(scene.file.with_suffix(".site"), ignore_errors=True),
    )


def transport() -> Contender:
    """rbdtui's transport alone."""
    return Contender(
        "rbdtui-transport",
        "rbdtui (transport)",
        lambda scene: Start([sys.executable, "-m", "benchmarks.connect", str(scene.file)]),
    )


def script(peer: Peer, file: str) -> Contender:
    """A peer that is a library: one program of ours on top of it."""
    return Contender(
        peer.name, peer.title, lambda scene: Start([peer.program("python"), str(_HERE / file), str(scene.file)])
    )


def pyinfra(peer: Peer) -> Contender:
    """pyinfra, no host waiting for the others between operations."""

    def start(scene: Scene) -> Start:
        data = json.loads(scene.file.read_text(encoding="utf-8"))
        common = {
            "ssh_user": data["user"],
            "ssh_port": data["port"],
            "ssh_key": data["key"],
            "ssh_known_hosts_file": data["known_hosts"],
            "ssh_strict_host_key_checking": "yes",
            "ssh_allow_agent": False,
            "ssh_look_for_keys": False,
        }
        nodes = [(node["address"], {**common, "commands": node["commands"]}) for node in data["nodes"]]
        inventory = scene.directory / "inventory.py"
        inventory.write_text(f"nodes = {nodes!r}\n", encoding="utf-8")
        parallel = ["--parallel", str(len(nodes)), "--no-wait", "-y"]
        command = [peer.program("pyinfra"), *parallel, str(inventory), str(_HERE / "pyinfra_deploy.py")]
        return Start(command, directory=scene.directory)

    return Contender(peer.name, f"{peer.title} --no-wait", start)


def ansible(peer: Peer, *, module: str, strategy: str) -> Contender:
    """Ansible with pipelining, ControlPersist, forks for all nodes and no facts."""

    def start(scene: Scene) -> Start:
        data = json.loads(scene.file.read_text(encoding="utf-8"))
        directory = scene.directory / "ansible"
        directory.mkdir(exist_ok=True)
        hosts = {
            node["name"]: {"ansible_host": node["address"], "commands": node["commands"]} for node in data["nodes"]
        }
        variables = {
            "ansible_port": data["port"],
            "ansible_user": data["user"],
            "ansible_ssh_private_key_file": data["key"],
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        (directory / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
        tasks = [{f"ansible.builtin.{module}": f"{{{{ commands[{n}] }}}}"} for n in range(scene.workload.steps)]
        play = [{"hosts": "all", "gather_facts": False, "strategy": strategy, "tasks": tasks}]
        (directory / "play.json").write_text(json.dumps(play))
        (directory / "ansible.cfg").write_text(_ansible_settings(scene, data["known_hosts"]))
        command = [peer.program("ansible-playbook"), "-i", "inventory.json", "play.json"]
        path = f"{Path(peer.program('python')).parent}:{os.environ.get('PATH', '')}"
        environment = {"PATH": path, "ANSIBLE_CONFIG": str(directory / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        return Start(command, environment, directory)

    title = f"{peer.title} ({module}, {strategy})"
    return Contender(f"{peer.name}-{module}-{strategy}", title, start, _hang_up)


def _ansible_settings(scene: Scene, known_hosts: str) -> str:
    options = " ".join(
        [
            "-F none -o ControlMaster=auto -o ControlPersist=60s -o IdentitiesOnly=yes -o IdentityAgent=none",
            f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={known_hosts}",
        ]
    )
    return (
        f"[defaults]\nforks = {scene.workload.nodes}\nhost_key_checking = True\n"
        "[connection]\npipelining = True\n"
        f"[ssh_connection]\nssh_args = {options}\ncontrol_path_dir = {_control_dir(scene)}\n"
    )


def _control_dir(scene: Scene) -> Path:
    """A short path: sockets have names of 107 bytes at most."""
    return scene.farm.directory / "cp"


def _hang_up(scene: Scene) -> None:
    """End the connections that Ansible left open for its next run."""
    directory = _control_dir(scene)
    for socket in list(directory.iterdir()) if directory.exists() else []:
        command = ["ssh", "-F", "none", "-o", f"ControlPath={socket}", "-O", "exit", "nobody"]
        subprocess.run(command, stderr=subprocess.DEVNULL, timeout=30)
        socket.unlink(missing_ok=True)
