"""Directors where the kernel has no IPVS, as namespaces mostly have none; with one they are tests/guest's."""
import pytest

from lab.haven import group_text

DIRECTOR = """director front {
pool farm { real 10.77.0.201:80 { } }
virtual 10.77.0.112:80 { pool = farm }
}"""


def test_without_ipvs_a_group_fails_on_each_node_and_is_stuck_on_none(cluster, lab):
    c = cluster(groups=[group_text("web", ["alpha", "beta"], lab.floating()),
                        group_text("lb", ["alpha", "beta"], "10.77.0.112", first=DIRECTOR, body='restart = "0 in 5m"')])
    c.start(wait=False)
    seen = set()

    def tried(status):
        group = next(g for g in status["groups"] if g["name"] == "lb")
        seen.add(group["state"])
        return group["state"] == "started" or {"alpha", "beta"} <= set(group["failed_on"].replace(",", " ").split())

    c.wait_status(tried, "it has been tried on both")
    if "started" in seen:
        pytest.skip("this kernel has IPVS")
    assert "blocked" not in seen, "what was never set up need not be taken away"
    for node in c.nodes.values():
        assert "this kernel has no IPVS" in node.haven("lvs").stdout
    c.wait_group("web", "alpha")
