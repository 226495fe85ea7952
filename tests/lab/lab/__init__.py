"""The lab: machines in network namespaces, faults, a watcher of addresses, a client with a stop-watch."""
from .ask import Asker
from .clock import now, wait_for
from .machine import Machine, Process
from .net import Lab
from .probe import ECHO_PORT, Prober, start_echo
from .serial import SerialCable
from .tools import build, built, tool
from .watch import Guard, Watcher

__all__ = ["Asker", "ECHO_PORT", "Guard", "Lab", "Machine", "Process", "Prober", "SerialCable", "Watcher", "build",
           "built", "now", "start_echo", "tool", "wait_for"]
