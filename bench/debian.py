"""Installs what a subject needs, without letting any of it start on this machine."""
import os
import subprocess
import sys

POLICY = "/usr/sbin/policy-rc.d"  # asked by every package's scripts: 101 forbids starting daemons


def installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], capture_output=True, text=True,
                          check=False)
    return done.stdout == "installed"


def version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True,
                          check=False)
    return done.stdout


def ensure(packages):
    """Returns why not, or None."""
    missing = [p for p in packages if not installed(p)]
    if not missing:
        return None
    print("installing %s" % " ".join(missing), file=sys.stderr, flush=True)
    ours = not os.path.exists(POLICY)
    if ours:
        with open(POLICY, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\nexit 101\n")
        os.chmod(POLICY, 0o755)
    try:
        done = subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing],
                              env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, text=True,
                              check=False)
    finally:
        if ours:
            os.unlink(POLICY)
    return None if done.returncode == 0 else "cannot install %s: %s" % (" ".join(missing), done.stderr.strip()[-300:])
