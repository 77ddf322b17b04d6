"""Disks as lsblk lists them, on hosts of several kinds."""

from __future__ import annotations

import pytest

from rbdtui.facts.block_devices import DISKS
from rbdtui.facts.model import Disk, DiskUse

BY_ID, BY_PATH = "/dev/disk/by-id", "/dev/disk/by-path"


def row(name: str, kind: str = "disk", parent: str = "", **columns: object) -> str:
    fields: dict[str, object] = {"KNAME": name, "PKNAME": parent, "TYPE": kind, "SIZE": 10**11, "ROTA": 0, "RO": 0}
    fields |= {"RM": 0, "FSTYPE": "", "MOUNTPOINT": "", "MODEL": "", "SERIAL": "", **columns}
    return " ".join(f'{key}="{value}"' for key, value in fields.items())


def read(*rows: str, links: tuple[tuple[str, str], ...] = (), signatures: tuple[str, ...] = ()) -> dict[str, Disk]:
    text = "\n".join(
        ["== devices", *rows, "== read", *signatures, "== links", *(f"{link}\t{real}" for link, real in links), ""]
    )
    return {disk.name: disk for disk in DISKS.parse(text)}


SYSTEM = (
    row("sda", SERIAL="S1", MODEL="SAMSUNG\\x20MZ7  ", PTTYPE="gpt"),
    row("sda1", "part", "sda", FSTYPE="vfat", MOUNTPOINT="/boot/efi"),
    row("sda2", "part", "sda", FSTYPE="LVM2_member"),
    row("dm-0", "lvm", "sda2", FSTYPE="xfs", MOUNTPOINT="/"),
)


def test_an_empty_disk_is_told_from_that_of_the_system() -> None:
    disks = read(*SYSTEM, row("sdb", SERIAL="S2", SIZE=200 * 1024**3, ROTA=1))
    assert (disks["sda"].model, disks["sda"].use) == ("SAMSUNG MZ7", DiskUse.MOUNTED)
    assert [str(each) for each in disks["sda"].holds] == [
        "sda disk gpt",
        "sda1 part vfat /boot/efi",
        "sda2 part LVM2_member",
        "dm-0 lvm xfs /",
    ]
    empty = disks["sdb"]
    assert (empty.size_bytes, empty.serial, empty.turns, empty.holds) == (200 * 1024**3, "S2", True, ())
    assert empty.use is DiskUse.NOTHING


@pytest.mark.parametrize(
    ("rows", "use"),
    [
        ((row("sdb", FSTYPE="mpath_member"), row("dm-3", "mpath", "sdb")), DiskUse.MULTIPATH),
        ((row("sdb"), row("dm-3", "mpath", "sdb")), DiskUse.MULTIPATH),
        ((row("sdb", FSTYPE="LVM2_member"),), DiskUse.LVM),
        ((row("sdb", FSTYPE="linux_raid_member"), row("md0", "raid1", "sdb", FSTYPE="ext4")), DiskUse.RAID),
        ((row("sdb"), row("sdb1", "part", "sdb", FSTYPE="zfs_member")), DiskUse.RAID),
        ((row("sdb", FSTYPE="swap", MOUNTPOINT="[SWAP]"),), DiskUse.MOUNTED),
        ((row("sdb"), row("dm-1", "crypt", "sdb", FSTYPE="ext4", MOUNTPOINT="/data")), DiskUse.MOUNTED),
        ((row("sdb", FSTYPE="ceph_bluestore"),), DiskUse.CEPH),
        ((row("sdb", FSTYPE="ext4"),), DiskUse.LEFTOVERS),
        ((row("sdb", PTTYPE="gpt"),), DiskUse.LEFTOVERS),
        ((row("sdb"), row("sdb1", "part", "sdb")), DiskUse.LEFTOVERS),
        ((row("sdb"), row("sdc1", "part", "sdc", FSTYPE="ext4", MOUNTPOINT="/x")), DiskUse.NOTHING),
    ],
)
def test_what_a_disk_is_in_use_for(rows: tuple[str, ...], use: DiskUse) -> None:
    assert read(*rows)["sdb"].use is use


def test_what_lies_in_memory_or_elsewhere_is_no_disk() -> None:
    others = [row(name) for name in ("zram0", "rbd0", "nbd1", "drbd5", "sr0", "ram3")]
    assert set(read(*others, row("loop0", "loop"), row("nvme0n1"), row("sdc", SIZE=0), row("vda"))) == {
        "nvme0n1",
        "vda",
    }


def test_a_disk_behind_two_paths_is_listed_with_what_both_lead_to() -> None:
    disks = read(
        row("sda", SERIAL="M"), row("dm-0", "mpath", "sda"), row("sdb", SERIAL="M"), row("dm-0", "mpath", "sdb")
    )
    assert {disk.use for disk in disks.values()} == {DiskUse.MULTIPATH}


@pytest.mark.parametrize(
    ("links", "serial", "name"),
    [
        ((f"{BY_ID}/wwn-0x5002", f"{BY_ID}/ata-SAMSUNG_S2", f"{BY_PATH}/pci-1"), "S2", f"{BY_ID}/ata-SAMSUNG_S2"),
        ((f"{BY_ID}/wwn-0x5002", f"{BY_PATH}/pci-1"), "S2", f"{BY_ID}/wwn-0x5002"),
        ((f"{BY_ID}/nvme-DELL_A_B", f"{BY_ID}/nvme-eui.01"), "A B", f"{BY_ID}/nvme-DELL_A_B"),
        ((f"{BY_PATH}/pci-1",), "", f"{BY_PATH}/pci-1"),
        ((), "S2", ""),
    ],
)
def test_the_name_that_stays_the_same(links: tuple[str, ...], serial: str, name: str) -> None:
    disks = read(row("sdb", SERIAL=serial), links=tuple((link, "/dev/sdb") for link in links))
    assert disks["sdb"].stable_name == name


def test_what_udev_has_not_seen_is_read_from_the_disk() -> None:
    disks = read(row("sdb"), row("sdc"), row("sdd", FSTYPE="LVM2_member"), signatures=("sdb\text4", "sdd\tother"))
    assert (disks["sdb"].use, disks["sdc"].use, disks["sdd"].use) == (DiskUse.LEFTOVERS, DiskUse.NOTHING, DiskUse.LVM)
    assert str(disks["sdb"].holds[0]) == "sdb disk ext4"


def test_no_lsblk_and_no_disks_are_no_disks() -> None:
    assert DISKS.parse("") == DISKS.parse("== devices\n== links\n") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("== devices\nlsblk: failed\n", "no device: lsblk"),
        ('== devices\nKNAME="sda" TYPE="disk" SIZE="10G"\n', "10G"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DISKS.parse(text)
