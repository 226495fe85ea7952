"""A serial cable between two machines of the lab: a pair of ptys, whose bytes pass through our hands.

    cable = SerialCable(lab, "alpha", "beta")
    cable.end["alpha"]          # the device, for alpha's configuration
    cable.noise(1000)           # so many random bytes, both ways
    cable.cut() ... cable.mend()     # nothing passes
    cable.unplug() ... cable.plug()  # the devices are gone, as a USB adapter's are"""
import os
import random
import select
import threading
import tty


class SerialCable:
    def __init__(self, lab, one, other):
        self.end = {name: os.path.join(lab.directory, "tty-%s-%s" % (one, name)) for name in (one, other)}
        self.names = [one, other]
        self.masters = {}
        self.passing = True
        self.carried = 0
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.random = random.Random(1)
        self.plug()
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()
        lab.stopping.append(self.close)

    def plug(self):
        with self.lock:
            for name in self.names:
                master, slave = os.openpty()
                tty.setraw(slave)
                os.set_blocking(master, False)
                os.symlink(os.ttyname(slave), self.end[name])
                os.close(slave)  # until somebody opens it, reading the master is an error
                self.masters[name] = master

    def unplug(self):
        with self.lock:
            for name, master in self.masters.items():
                os.unlink(self.end[name])
                os.close(master)
            self.masters.clear()

    def cut(self):
        self.passing = False

    def mend(self):
        self.passing = True

    def noise(self, count):
        with self.lock:
            for master in self.masters.values():
                self.put(master, self.random.randbytes(count))

    @staticmethod
    def put(master, data):
        try:
            os.write(master, data)  # what does not fit is lost, as on a line
        except OSError:
            pass

    def carry(self):
        while not self.ending.is_set():
            with self.lock:
                ready = select.select(list(self.masters.values()), [], [], 0)[0]
                for name, master in self.masters.items():
                    if master in ready:
                        self.carry_from(name, master)
            self.ending.wait(0.002)

    def carry_from(self, name, master):
        try:
            data = os.read(master, 65536)
        except OSError:
            return
        if self.passing:
            self.carried += len(data)
            self.put(self.masters[self.names[1 - self.names.index(name)]], data)

    def close(self):
        self.ending.set()
        self.thread.join()
        self.unplug()
