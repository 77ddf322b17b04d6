"""Where the names of Rainbond's registry may lead on a node."""

from __future__ import annotations

import pytest

from rbdtui.probes.hosts import leads_right

VIP, FIRST, SECOND = "10.0.0.100", "10.0.0.11", "10.0.0.12"


@pytest.mark.parametrize(
    ("found", "right"),
    [
        ([VIP], True),
        # As glibc gives it on a host where Rainbond's hosts-job has added its line.
        ([FIRST, VIP], True),
        ([FIRST], False),
        ([VIP, "10.0.0.99"], False),
        ([], False),
    ],
)
def test_a_name_leads_to_the_vip_and_to_gateways_besides_at_most(found: list[str], right: bool) -> None:
    assert leads_right(found, VIP, {FIRST, SECOND}) is right
