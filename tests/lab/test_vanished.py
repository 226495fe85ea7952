"""A group that runs, and is no longer in the file that the next core reads."""
import re

from lab import wait_for
from lab.haven import tool

EVERYWHERE = """
group local {
    nodes = {alpha, beta}
    everywhere = yes
    process echo { command = "%s - 7017" }
}
"""


def test_a_core_that_dies_goes_on_with_what_its_file_no_longer_names(cluster):
    """Nobody else would ever stop it: no lease ends what runs everywhere."""
    c = cluster(nodes=2, extra=EVERYWHERE % tool("echo"))
    c.start()
    node = c["alpha"]

    def state():
        return {g["name"]: g["state"] for g in (node.status() or {"groups": []})["groups"]}

    wait_for(lambda: state().get("local") == "started", 10, "the group that runs everywhere is started")
    c.configure("alpha", re.sub(r"(?ms)^group local {.*?^}\n", "", c.text))
    node.kill("core")
    wait_for(lambda: "does not name what runs here" in node.haven("events", check=False).stdout, 10, "it is told")
    wait_for(lambda: state().get("local") == "started", 10, "the next core has it")
    node.haven("stop", "local")
    wait_for(lambda: state().get("local") == "stopped", 10, "it can be stopped")
    node.haven("reload")
    assert "local" not in state()
