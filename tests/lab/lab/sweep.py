"""Everything the lab makes outside its own processes carries `hv<pid>-` in its name; who made it removes it.

A run that was killed cannot. So each run first removes what belongs to runs whose process is gone, and nothing
else."""
import os
import re
import shutil
import signal
import tempfile
import time

from .tools import run

CGROUPS = next((d for d in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified") if os.path.exists(d + "/cgroup.procs")
                and os.access(d, os.W_OK)), "")
OURS = re.compile(r"^hv(\d+)-")


def prefix(number):
    return "hv%d-%d-" % (os.getpid(), number)


def of_the_dead(name):
    match = OURS.match(name)
    if match is None:
        return False
    try:
        with open("/proc/%s/stat" % match.group(1), encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(") ")[2][0] == "Z"
    except FileNotFoundError:
        return True


def netns_remove(name):
    for pid in run("ip", "netns", "pids", name, check=False).split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    run("ip", "netns", "del", name, check=False)


def cgroup_remove(path):
    """Removes a cgroup and all below it; processes in it are killed."""
    if not os.path.isdir(path):
        return
    for directory, _, files in os.walk(path, topdown=False):
        if "cgroup.kill" in files:
            with open(os.path.join(directory, "cgroup.kill"), "w", encoding="ascii") as f:
                f.write("1")
        for _ in range(200):
            try:
                os.rmdir(directory)
                break
            except OSError:  # busy until its last process is buried
                time.sleep(0.005)


def leftovers():
    for line in run("ip", "netns", "list", check=False).splitlines():
        if line and of_the_dead(line.split()[0]):
            netns_remove(line.split()[0])
    if CGROUPS:
        for name in os.listdir(CGROUPS):
            if of_the_dead(name):
                cgroup_remove(os.path.join(CGROUPS, name))
    for name in os.listdir(tempfile.gettempdir()):
        if of_the_dead(name):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)
