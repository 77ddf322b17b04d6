"""Cases: addresses, routes, resolver, VIP, ports."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

from rbdtui.facts.model import Interface, Listener
from rbdtui.facts.software import SYSTEMD
from rbdtui.profiles import KUBERNETES_ONLY
from tests.checks.cases import (
    KUBERNETES,
    Case,
    E,
    I,
    Spoil,
    W,
    both,
    change,
    holding_vip,
    listening,
    route,
    running,
    same,
    with_interface,
)
from tests.checks.support import VIP, claimed, spec_of

NGINX = Listener("tcp", "0.0.0.0", 80, "nginx", 812, "nginx.service")
ETH9 = Interface("eth9", "52:54:00:aa:aa:a9", 1500, True, (IPv4Interface("192.168.9.7/24"),))
WITH_RESOLVER = spec_of(settings={"resolv-conf": "/etc/rancher/rke2/resolv.conf"})


def leased(name: str, address: str) -> Spoil:
    """An address of an interface comes from DHCP."""
    lent = (IPv4Address(address),)
    return lambda facts: replace(
        facts, interfaces=tuple(replace(i, leased=lent) if i.name == name else i for i in facts.interfaces)
    )


NETWORK_CASES = (
    Case(
        "the address is another host's",
        change(interfaces=(Interface("eth0", "52:54:00:aa:aa:aa", 1500, True, (IPv4Interface("10.0.7.7/16"),)),)),
        {"RBD-NET-101": E},
        says=("10.0.7.7/16",),
    ),
    Case("no default route", change(routes=()), {"RBD-NET-102": E}),
    Case("a bridge of an older cluster", route("10.42.3.0/24", "cni0"), {"RBD-NET-104": E}),
    Case("our own cluster's bridge", both(claimed, route("10.42.3.0/24", "cni0")), {}),
    Case("a route of the site over our range", route("10.40.0.0/13", "eth0", "10.0.0.1"), {"RBD-NET-105": W}),
    Case(
        "an interface within the services' range",
        with_interface(Interface("eth1", "52:54:00:aa:aa:ab", 1500, True, (IPv4Interface("10.43.1.1/24"),))),
        {"RBD-NET-104": E},
    ),
    Case("an address from DHCP", leased("eth0", "10.0.0.11"), {"RBD-NET-113": W}, says=("10.0.0.11",)),
    Case("another interface's address from DHCP", both(with_interface(ETH9), leased("eth9", "192.168.9.7")), {}),
    Case("networkd", running("systemd-networkd"), {"RBD-NET-114": W}),
    Case("networkd that keeps addresses", both(running("systemd-networkd"), change(networkd_keeps=True)), {}),
    Case(
        "networkd without a VIP",
        running("systemd-networkd"),
        {},
        spec_of(gateway={"mode": "external", "address": "10.0.0.9"}),
    ),
    Case("NetworkManager", running("NetworkManager"), {"RBD-NET-106": I}),
    Case(
        "NetworkManager that leaves the pods alone",
        change(
            active_units=frozenset({"chrony", "NetworkManager"}),
            files=frozenset({SYSTEMD, "/etc/NetworkManager/conf.d/rke2-canal.conf"}),
        ),
        {},
    ),
    Case("nm-cloud-setup", change(enabled_units=frozenset({"nm-cloud-setup.timer"})), {"RBD-NET-107": W}),
    Case("wicked", running("wickedd"), {"RBD-NET-108": W}),
    Case("no resolv.conf", change(nameservers=None), {"RBD-DNS-101": W}),
    Case("no resolv.conf, but the settings name one", change(nameservers=None), {}, WITH_RESOLVER),
    Case("no resolver, but the settings name one", change(nameservers=()), {}, WITH_RESOLVER),
    Case("what RKE2 does without a resolver", change(nameservers=()), {"RBD-DNS-103": I}, says=("8.8.8.8",)),
    Case("what RKE2 does without the file", change(nameservers=None), {"RBD-DNS-101": W}, says=("8.8.8.8",)),
    Case("loopback resolver", change(nameservers=("127.0.0.53",)), {"RBD-DNS-102": W}),
    Case(
        "loopback resolver with a real one behind",
        change(nameservers=("127.0.0.53",), upstream_nameservers=("10.0.0.2",)),
        {},
    ),
    Case("resolver that is a name", change(nameservers=("dns.lan",)), {"RBD-DNS-102": W}),
    Case("no resolver", change(nameservers=()), {"RBD-DNS-103": I}),
    Case(
        "interface of another host",
        same,
        {"RBD-VIP-101": E},
        spec_of(gateway={"vip": f"{VIP}/16", "virtual_router_id": 87, "interface": "ens9"}),
        says=("lo, eth0",),
    ),
    Case(
        "VIP of another network",
        same,
        {"RBD-VIP-102": E},
        spec_of(gateway={"vip": "10.9.0.100/16", "virtual_router_id": 87}),
    ),
    Case(
        "VIP with another prefix",
        same,
        {"RBD-VIP-103": W},
        spec_of(gateway={"vip": f"{VIP}/24", "virtual_router_id": 87}),
    ),
    Case("VIP is here already", holding_vip, {"RBD-VIP-104": E}),
    Case("VIP is here by our keepalived", both(claimed, holding_vip), {}),
    Case("no VIP wanted", holding_vip, {}, spec_of(gateway={"mode": "none"})),
    Case(
        "nginx on port 80",
        listening(NGINX),
        {"RBD-PORT-101": E},
        says=("80/tcp", "nginx (pid 812, nginx.service)", "rbd-gateway"),
    ),
    Case("nginx where only the bundled ingress would want it", listening(NGINX), {"RBD-PORT-102": W}, KUBERNETES),
    Case(
        "nginx where the ingress is off",
        listening(NGINX),
        {},
        spec_of(profile=KUBERNETES_ONLY, settings={"disable": ["rke2-ingress-nginx"]}),
    ),
    Case(
        "several ports of one program are one finding",
        listening(*(Listener("tcp", "::", port, "etcd", 9) for port in (2379, 2380))),
        {"RBD-PORT-101": E},
        says=("2379/tcp, 2380/tcp", "etcd (pid 9)"),
    ),
    Case(
        "a port that nobody can be named for",
        listening(Listener("tcp", "0.0.0.0", 6443)),
        {"RBD-PORT-101": E},
        says=("an unidentified program",),
    ),
    Case("VXLAN taken", listening(Listener("udp", "0.0.0.0", 8472)), {"RBD-PORT-101": E}, says=("8472/udp",)),
    Case("TCP 8472 is nobody's business", listening(Listener("tcp", "0.0.0.0", 8472, "x", 1)), {}),
    Case("port 9009 matters less", listening(Listener("tcp", "127.0.0.1", 9009, "minio", 5)), {"RBD-PORT-102": W}),
    Case(
        "our own ports after our own run",
        both(
            claimed,
            listening(
                Listener("tcp", "0.0.0.0", 6443, "kube-apiserver", 5, "kubepods"),
                Listener("tcp", "0.0.0.0", 9345, "rke2", 6, "rke2-server.service"),
                Listener("udp", "0.0.0.0", 8472),
                Listener("tcp", "0.0.0.0", 80, "openresty", 8, "kubepods"),
            ),
        ),
        {},
    ),
    Case("nginx after our own run", both(claimed, listening(NGINX)), {"RBD-PORT-101": E}),
    Case(
        "ports without a claim of ours",
        listening(Listener("tcp", "0.0.0.0", 9345, "rke2", 6, "rke2-server.service")),
        {"RBD-PORT-101": E},
    ),
)
