"""Load balancing in a kernel that has IPVS."""
import os


def program(name):
    return os.path.join(os.environ["HAVEN_BUILD"], name)


def test_the_kernels_table_is_what_it_was_made_and_what_ipvsadm_sees(guest):
    alpha = guest("alpha", modules=["ip_vs"])
    alpha.boot()
    alpha.wait()
    done = alpha.run(program("tests/unit/director/director-kernel"), timeout=120, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
