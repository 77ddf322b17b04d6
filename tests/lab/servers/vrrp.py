"""A virtual router of somebody else: announced from this machine into the network of a lab (RFC 5798, version 2)."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

VRRP, GROUP = 112, "224.0.0.18"
_EVERY_S = 1.0


def advertisement(router_id: int, priority: int, address: str) -> bytes:
    """A packet of VRRP version 2, without the header of IP."""
    body = struct.pack(">BBBBBBH", 0x21, router_id, priority, 1, 0, 1, 0) + socket.inet_aton(address) + bytes(8)
    total = sum(struct.unpack(f">{len(body) // 2}H", body))
    total = (total & 0xFFFF) + (total >> 16)
    return body[:6] + struct.pack(">H", ~(total + (total >> 16)) & 0xFFFF) + body[8:]


@contextmanager
def announcing(source: str, *, router_id: int, address: str, priority: int = 200) -> Iterator[None]:
    """Announce a virtual router from one of this machine's addresses, once a second, for the time of the block."""
    over = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, VRRP) as speaker:
        speaker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
        speaker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        speaker.bind((source, 0))
        packet = advertisement(router_id, priority, address)

        def speak() -> None:
            while not over.wait(_EVERY_S):
                speaker.sendto(packet, (GROUP, 0))

        thread = threading.Thread(target=speak, name="virtual router")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
