"""Where the lab finds what Meson built, and how it runs the system's own tools."""
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def build():
    """Where Meson has built haven."""
    return os.path.abspath(os.environ.get("HAVEN_BUILD", os.path.join(ROOT, "build")))


def tool(name):
    """A helper of the lab, from tests/lab/NAME.c."""
    return built("lab-" + name, os.path.join(build(), "tests", "lab"))


def built(name, *places):
    """A program of this build, looked for in `places` first, then everywhere below $HAVEN_BUILD."""
    for place in places:
        path = os.path.join(place, name)
        if os.access(path, os.X_OK):
            return path
    for place, _, files in os.walk(build()):
        path = os.path.join(place, name)
        if name in files and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError("no %s below %s: set HAVEN_BUILD to the build directory and build" % (name, build()))


def run(*command, input=None, check=True):
    """Runs a command of the host to its end and returns what it printed."""
    done = subprocess.run(command, input=input, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(command), (done.stderr or done.stdout).strip()))
    return done.stdout
