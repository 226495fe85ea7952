"""What is measured: each subject is a high availability program in one timing, run on alpha and beta."""
from .haven import Haven, HavenFast, HavenThree
from .heartbeat import Heartbeat, HeartbeatDefault
from .keepalived import Keepalived, KeepalivedFast
from .strong import HavenDisk, HavenEtcd, HavenFence, HavenStrong, HavenWitness

ALL = {s.name: s for s in (Haven, HavenFast, HavenThree, HavenWitness, HavenDisk, HavenEtcd, HavenFence, Keepalived,
                           KeepalivedFast, Heartbeat, HeartbeatDefault)}
# without what only a split concerns
USUAL = [name for name, s in ALL.items() if s is not HeartbeatDefault and not issubclass(s, HavenStrong)]
