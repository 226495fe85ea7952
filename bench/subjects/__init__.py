"""What is measured: each subject is a high availability program in one timing, run on alpha and beta."""
from .haven import Haven, HavenFast, HavenThree
from .heartbeat import Heartbeat, HeartbeatDefault
from .keepalived import Keepalived, KeepalivedFast

ALL = {s.name: s for s in (Haven, HavenFast, HavenThree, Keepalived, KeepalivedFast, Heartbeat, HeartbeatDefault)}
USUAL = [name for name in ALL if name != HeartbeatDefault.name]
