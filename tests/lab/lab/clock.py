"""The lab's clock: CLOCK_BOOTTIME in seconds, the same for every program and every machine of the lab."""
import time


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wait_for(condition, timeout, what, pause=0.02):
    """Waits until condition() is true and returns its value; TimeoutError names `what` (text, or a function)."""
    end = now() + timeout
    while True:
        value = condition()
        if value:
            return value
        if now() > end:
            raise TimeoutError("not within %g s: %s" % (timeout, what() if callable(what) else what))
        time.sleep(pause)
