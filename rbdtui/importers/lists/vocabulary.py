"""Words that lists of servers use: titles of columns, keys of inventories, roles of other installers, usual logins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rbdtui.spec.model import Role

PASSWORD: Final = "password"  # noqa: S105 - the name of a field
"""Meaning of a column or key that holds the password of the login: its place is the vault."""
EXTERNAL: Final = "external_address"
"""Meaning of a column that says where users reach a server."""
SUDO_PASSWORD: Final = "sudo_password"  # noqa: S105 - the name of a field
"""As `PASSWORD`, of what sudo asks for."""

_TITLES: Final[Mapping[str, str]] = {
    "name": "name", "node": "name", "nodename": "name", "host": "name", "hostname": "name", "server": "name",
    "servername": "name", "machine": "name", "vmname": "name",
    "address": "address", "ip": "address", "ipaddress": "address", "addr": "address", "ipv4": "address",
    "internaladdress": "address", "internalip": "address", "privateip": "address", "managementip": "address",
    "hostip": "address", "nodeip": "address", "serverip": "address",
    "user": "user", "username": "user", "externaladdress": EXTERNAL, "externalip": EXTERNAL, "publicip": EXTERNAL,
    "publicaddress": EXTERNAL, "login": "user", "account": "user", "sshuser": "user",
    "port": "port", "sshport": "port", "roles": "roles", "role": "roles",
    "password": PASSWORD, "passwd": PASSWORD, "pass": PASSWORD, "sshpassword": PASSWORD,
    "rootpassword": PASSWORD, "sudopassword": SUDO_PASSWORD, "becomepassword": SUDO_PASSWORD,
    "key": "key", "sshkey": "key", "keyfile": "key", "identityfile": "key", "privatekey": "key",
    "privatekeypath": "key",
    "名称": "name", "名字": "name", "节点": "name", "节点名": "name", "节点名称": "name", "主机名": "name",
    "主机名称": "name", "主机": "name", "服务器": "name", "服务器名": "name", "服务器名称": "name", "机器名": "name",
    "地址": "address", "ip地址": "address", "主机ip": "address", "节点ip": "address", "服务器ip": "address",
    "业务ip": "address", "业务地址": "address", "内网ip": "address", "内网地址": "address", "私网ip": "address",
    "管理ip": "address", "管理地址": "address", "主机地址": "address", "服务器地址": "address",
    "用户": "user", "用户名": "user", "登录用户": "user", "登录名": "user", "账号": "user", "帐号": "user",
    "账户": "user",
    "外网ip": EXTERNAL, "外网地址": EXTERNAL, "公网ip": EXTERNAL, "公网地址": EXTERNAL,
    "端口": "port", "端口号": "port", "ssh端口": "port", "角色": "roles", "节点角色": "roles",
    "密码": PASSWORD, "口令": PASSWORD, "登录密码": PASSWORD, "root密码": PASSWORD, "ssh密码": PASSWORD,
    "sudo密码": SUDO_PASSWORD, "提权密码": SUDO_PASSWORD, "密钥": "key", "私钥": "key", "密钥文件": "key",
}  # fmt: skip
"""What a title means, its blanks, dashes and remarks in brackets left out."""
_KEYS: Final[Mapping[str, str]] = {
    **_TITLES,
    "ansiblehost": "address", "ansiblesshhost": "address", "accessip": "address",
    "ansibleuser": "user", "ansiblesshuser": "user", "ansibleport": "port", "ansiblesshport": "port",
    "ansiblepassword": PASSWORD, "ansiblesshpass": PASSWORD, "ansiblebecomepassword": SUDO_PASSWORD,
    "ansiblebecomepass": SUDO_PASSWORD, "ansiblesudopass": SUDO_PASSWORD, "ansiblesshprivatekeyfile": "key",
}  # fmt: skip
"""What ``key=value`` or ``key: value`` in a line means; ansible_* are an inventory's, camelCase is KubeKey's."""
_ROLES: Final[Mapping[str, tuple[Role, ...]]] = {
    **{role.value: (role,) for role in Role},
    "master": (Role.CONTROL_PLANE, Role.ETCD), "controller": (Role.CONTROL_PLANE,),
    "controlplane": (Role.CONTROL_PLANE,), "control_plane": (Role.CONTROL_PLANE,),
    "server": (Role.CONTROL_PLANE, Role.ETCD), "agent": (Role.WORKER,),
    "node": (Role.WORKER,), "compute": (Role.WORKER,), "builder": (Role.BUILD,), "chaos": (Role.BUILD,),
}  # fmt: skip
"""Roles by their names here, in RKE1, RKE2, KubeKey and Rainbond's own installer; a master holds etcd there."""
USUAL_LOGINS: Final = frozenset(
    {
        "root", "admin", "administrator", "ubuntu", "centos", "debian", "rocky", "almalinux", "fedora", "opensuse",
        "ec2-user", "cloud-user", "opc", "openeuler", "kylin", "uos", "vagrant",
    }
)  # fmt: skip
"""Words behind an address that are a login and no server's name."""


def title(cell: str) -> str:
    """What a column of this title holds: a field of `ImportedNode`, or nothing that is known."""
    return _TITLES.get(_bare(re.sub(r"[(（].*", "", cell)), "")


def key_meaning(key: str) -> str:
    """What a value with this key is; as `title`."""
    return _KEYS.get(_bare(key), "")


def _bare(word: str) -> str:
    return re.sub(r"[\s_-]+", "", word.casefold())


def roles_named(text: str) -> tuple[tuple[str, ...], str]:
    """The roles that a cell names, in Rainbond's words, and the first word of it that is no role."""
    words = [word for word in re.split(r"[\s,;+/|]+", text.lower().strip("[]")) if word]
    unknown = next((word for word in words if word not in _ROLES), "")
    return tuple(dict.fromkeys(role.value for word in words for role in _ROLES.get(word, ()))), unknown
