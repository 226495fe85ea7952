"""A real server's own side of direct routing: it serves an address that it tells nobody of."""
from lab import now, wait_for
from lab.ask import Asker
from lab.haven import group_text, process_text

SERVERS = """group servers {
    nodes = {alpha, beta}
    everywhere = yes
    realserver %s { }
    realserver "%s" { }
    %s
}
"""


def settings(machine):
    return machine.run("sysctl", "-n", "net.ipv4.conf.all.arp_ignore", "net.ipv4.conf.all.arp_announce").stdout.split()


def test_the_standby_serves_an_address_for_which_only_its_holder_answers(cluster, lab):
    six = "fd77:0::111"
    c = cluster(service=None, groups=[SERVERS % (lab.floating(), six, process_text()),
                                      group_text("web", ["alpha", "beta"], lab.floating(), failback="manual")])
    alpha, beta = c.machine("alpha"), c.machine("beta")
    beta.run("sysctl", "-qw", "net.ipv4.conf.all.arp_announce=1")
    found = {m: settings(m) for m in (alpha, beta)}
    c.start()
    c.wait_group("web", "alpha")
    assert settings(beta) == ["1", "2"]
    asker = Asker(lab.add_client(), lab.floating(), six)
    # each takes what is sent to its MAC; what asks whose the address is finds one
    asker.wait_answer("beta", kinds=("ip", "ip6"))
    asker.wait_answer("alpha", kinds=("ip", "arp"))
    assert not asker.first("beta", "arp") and not asker.first("alpha", "nd") and not asker.first("beta", "nd")

    # the next daemon takes it over as it is
    c["beta"].kill("core")
    c.wait_well()
    c.haven("move", "web", "beta", node="alpha")
    c.wait_group("web", "beta")
    moved = now()
    asker.wait_answer("beta", kinds=("arp", "ip"), after=moved)
    asker.wait_answer("alpha", kinds=("ip",), after=moved)
    assert not asker.first("alpha", "arp", after=moved + 0.5)

    # all of haven dies: whoever comes next knows what was there before
    c["alpha"].kill_all()
    assert alpha.holds(lab.floating())
    c["alpha"].start()
    c.wait_well()
    assert settings(alpha) == ["1", "2"]
    c.haven("stop", "servers", node="alpha")
    wait_for(lambda: {m: settings(m) for m in (alpha, beta)} == found, 20, "what was found is back")
    assert not alpha.holds(lab.floating()) and not alpha.holds("fd77::111") and beta.holds(lab.floating())
    stopped = now()
    asker.wait_answer("beta", kinds=("arp",), after=stopped)
    assert not asker.first("alpha", after=stopped + 0.5)
    asker.process.stop()
