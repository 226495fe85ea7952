"""What the other tests take for granted of guests."""
from lab import now, wait_for


def test_two_guests_have_networks_a_serial_line_and_power_failures(lab, guest):
    alpha = guest("alpha")
    beta = guest("beta", serial_to=alpha)
    for each in (alpha, beta):
        each.boot()
    for each in (alpha, beta):
        each.wait()
        each.run("stty -F /dev/ttyS0 raw -echo")
    for address in (beta.address["front"], beta.address["back"], beta.address6["back"]):
        alpha.run("ping -c1 -w10 " + address)

    # a closed line keeps nothing: the word goes out when its reader has opened it
    read = beta.start("exec </dev/ttyS0; touch /run/listening; head -c 5")
    beta.run("until test -e /run/listening; do sleep 0.1; done")
    alpha.run("printf hello >/dev/ttyS0")
    assert beta.end(read).stdout == "hello"

    assert alpha.run("echo seen; exit 3", check=False).returncode == 3
    lab.silence(beta, "front")
    assert alpha.run("ping -c1 -w1 " + beta.address["front"], check=False).returncode == 1
    alpha.run("ping -c1 -w10 " + beta.address["back"])
    lab.heal()

    beta.run("echo written >/etc/written")
    beta.kill()
    assert beta.pids() == [] and not beta.powered
    assert alpha.run("ping -c1 -w1 " + beta.address["back"], check=False).returncode == 1
    beta.boot()
    beta.wait()
    assert beta.run("cat /etc/written", check=False).returncode == 1, "what it wrote has gone with it"
    alpha.run("ping -c1 -w10 " + beta.address["back"])

    # a kernel that panics is a guest that is off
    beta.start("echo c >/proc/sysrq-trigger")
    beta.wait_end(20)
    assert alpha.powered

    frozen = alpha.freeze()
    job = alpha.start("true")
    wait_for(lambda: alpha.listen(0.1) or now() > frozen + 0.5, 5, "half a second to pass")
    assert job not in alpha.ended
    alpha.thaw()
    alpha.end(job)
