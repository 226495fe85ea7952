"""A machine with Debian's exim, a real mail server."""
import mailbox
import os
import pwd

from .clock import wait_for

EXIM = """
primary_hostname = post.lab
spool_directory = {directory}/spool
log_file_path = {directory}/%slog
pid_file_path = {directory}/exim.pid
tls_advertise_hosts =
acl_smtp_rcpt = accept
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
queue_only = false
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = {directory}/box
  user = Debian-exim
  batch_max = 10
begin retry
* * F,1h,1m
"""


class Post:
    """A machine with Debian's exim, which puts every mail into one mailbox."""

    def __init__(self, lab):
        self.machine = lab.add_client("post")
        self.directory = os.path.join(self.machine.directory, "mail")
        os.makedirs(os.path.join(self.directory, "spool"))
        for path in (lab.directory, self.machine.directory):
            os.chmod(path, 0o755)
        user = pwd.getpwnam("Debian-exim")
        for path in (self.directory, os.path.join(self.directory, "spool")):
            os.chown(path, user.pw_uid, user.pw_gid)
        self.config = os.path.join(self.directory, "exim.conf")
        with open(self.config, "w", encoding="ascii") as f:
            f.write(EXIM.format(directory=self.directory))
        self.process = None

    def start(self):
        self.process = self.machine.start("exim", "/usr/sbin/exim4", "-C", self.config, "-bdf", "-oX", "25")
        self.wait_listening()

    def wait_listening(self):
        def listening():
            with open("/proc/%d/net/tcp" % self.machine.init_pid, encoding="ascii") as f:
                return any(line.split()[1].endswith(":0019") for line in f if ":" in line)
        wait_for(listening, 20, lambda: "exim listens: " + self.process.output())

    def stop(self):
        self.process.kill()

    def mails(self):
        """(subject, body, message id, to whom) of each, in order."""
        path = os.path.join(self.directory, "box")
        if not os.path.exists(path):
            return []
        return [(m["Subject"], m.get_payload(), m["Message-ID"], m["To"]) for m in mailbox.mbox(path, create=False)]

    def wait(self, count, what, timeout=30):
        return wait_for(lambda: len(self.mails()) >= count and self.mails(), timeout,
                        lambda: "%s: %s" % (what, self.mails()))
