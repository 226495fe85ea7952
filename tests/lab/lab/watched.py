"""What a cluster says of what it watches."""
import json
import os

from .clock import now, wait_for

WEB = 8080
CHECK = "interval = 200ms  timeout = 200ms  fall = 2  rise = 1"


def checks(c, name):
    done = c[name].haven("checks", "--json", check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"watched": [], "marks": []}


def state(c, name, what):
    for w in checks(c, name)["watched"]:
        if "%s:%s@%s" % (w["watch"], w["service"], w["host"]) == what:
            return w["state"]
    return None


def wait_state(c, name, what, wanted, timeout=30):
    wait_for(lambda: state(c, name, what) == wanted, timeout,
             lambda: "%s %s as %s sees it; it is %s" % (what, wanted, name, state(c, name, what)))


def wait_text(c, name, what, end):
    def text():
        return [w["text"] for w in checks(c, name)["watched"] if "%s:%s@%s" % (w["watch"], w["service"], w["host"]) == what]
    wait_for(lambda: [t for t in text() if t.endswith(end)], 30, lambda: "%s says '%s' of %s: %s" % (name, end, what, text()))


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return f.read().splitlines()


def leader(c):
    return c.running()[0].status()["leader"]


def quiet_for(seconds):
    start = now()
    wait_for(lambda: now() > start + seconds, seconds + 5, "time to pass")
