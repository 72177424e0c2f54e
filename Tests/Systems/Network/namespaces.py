"""Machines that are network namespaces, joined by a switch, a bridge device, that is in a namespace of its own: nothing of this reaches
the machine's own network."""
import json
import os
import subprocess

from machines import Failure


def ip(*arguments):
    result = subprocess.run(["ip"] + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        raise Failure("ip %s: %s" % (" ".join(arguments), result.stdout.strip()))


def obstacle():
    """Why there can be none here; None: there can."""
    if os.geteuid() != 0:
        return "it needs root"
    name = "mslot-%d-try" % os.getpid()
    try:
        ip("netns", "add", name)
        try:
            ip("-n", name, "link", "add", "switch", "type", "bridge")
            ip("-n", name, "link", "add", "port0", "type", "veth", "peer", "name", "port1")
        finally:
            ip("netns", "del", name)
    except (Failure, FileNotFoundError) as failure:
        return str(failure)
    return None


class Switch:
    def __init__(self, world):
        self.world = world
        self.base = "mslot-%d-" % os.getpid()
        self.count = 0
        self.switch = self.base + "switch"
        self.add_namespace(self.switch)
        ip("-n", self.switch, "link", "add", "switch", "type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
        ip("-n", self.switch, "link", "set", "switch", "up")

    def add_namespace(self, name):
        ip("netns", "add", name)
        self.world.at_end.append(lambda: ip("netns", "del", name))
        # An address is used at once: nobody else can have it here.
        for setting in ("all/accept_dad", "default/accept_dad"):
            path = "/proc/sys/net/ipv6/conf/" + setting
            subprocess.run(["ip", "netns", "exec", name, "sh", "-c", "[ ! -e %s ] || echo 0 > %s" % (path, path)], check=True)
        ip("-n", name, "link", "set", "lo", "up")

    def plug(self, machine):
        """A namespace for the machine, with an interface eth0 of 10.77.0.N, and multicast by it."""
        self.count += 1
        machine.namespace = "%s%d" % (self.base, self.count)
        machine.ip_address = "10.77.%d.%d" % (self.count // 250, self.count % 250 + 1)
        self.add_namespace(machine.namespace)
        self.add_interface(machine)
        machine.prefix = ("ip", "netns", "exec", machine.namespace)
        return machine

    def add_interface(self, machine, index=None):
        port = "port" + machine.namespace[len(self.base):]
        chosen = ("index", str(index)) if index else ()
        ip("-n", self.switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", *chosen, "netns", machine.namespace)
        ip("-n", self.switch, "link", "set", port, "master", "switch", "up")
        ip("-n", machine.namespace, "address", "add", machine.ip_address + "/16", "dev", "eth0")
        ip("-n", machine.namespace, "link", "set", "eth0", "up")
        ip("-n", machine.namespace, "route", "add", "224.0.0.0/4", "dev", "eth0")

    def remove_interface(self, machine):
        """Its index."""
        answer = subprocess.run(
            ["ip", "-n", machine.namespace, "-json", "link", "show", "eth0"], stdout=subprocess.PIPE, check=True)
        ip("-n", machine.namespace, "link", "del", "eth0")
        return json.loads(answer.stdout)[0]["ifindex"]

    def set_link(self, machine, state):
        ip("-n", machine.namespace, "link", "set", "eth0", state)
        if state == "up":
            # The kernel took the route away with the link.
            ip("-n", machine.namespace, "route", "replace", "224.0.0.0/4", "dev", "eth0")
