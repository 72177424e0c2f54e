"""Machines: each has a directory of mailslots, a bridge, and programs that read and write; some have a network namespace of their own."""
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time

BUILD = os.environ.get("MAILSLOTS_NETWORK_BUILD", ".build-network")
TRAFFIC = os.path.join(BUILD, "traffic")
BRIDGE = os.environ.get("MAILSLOTS_BRIDGE_HOST", ".build/debug/mailslots-bridge-host")
#: For what must not hang; nothing is decided by it.
TIMEOUT = 60


class Failure(Exception):
    pass


def expect(truth, text):
    if not truth:
        raise Failure(text)


def eventually(what, condition, timeout=TIMEOUT):
    """Asks until it is so; what it is."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure("it never came to this: " + (what() if callable(what) else what))
        time.sleep(0.02)


class Program:
    """A process that is asked by lines, and answers each with one."""

    def __init__(self, arguments, directory, log, prefix=(), environment=None):
        self.arguments = arguments
        surroundings = dict(os.environ, MAILSLOT_DIRECTORY=directory, **(environment or {}))
        self.log_path = log
        self.log = open(log, "ab")
        self.process = subprocess.Popen(
            list(prefix) + arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, env=surroundings, bufsize=0)
        self.pending = b""

    def line(self, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 1 << 20) if ready else b""
            if not data:
                state = "said nothing" if not ready else "ended with %s" % self.process.wait()
                raise Failure("%s %s; it logged: %s" % (" ".join(self.arguments)[:200], state, self.last_words()))
            self.pending += data
        line, _, self.pending = self.pending.partition(b"\n")
        return line.decode()

    def last_words(self):
        with open(self.log_path, "rb") as log:
            return log.read()[-1500:].decode(errors="replace")

    def tell(self, command):
        self.process.stdin.write(command.encode() + b"\n")

    def ask(self, command="report"):
        self.tell(command)
        return self.answer()

    def answer(self):
        return json.loads(self.line())

    def signal(self, number):
        self.process.send_signal(number)

    @property
    def is_running(self):
        return self.process.poll() is None

    def kill(self):
        if self.is_running:
            self.process.kill()
        self.close()

    def end(self):
        """Lets it end by itself; its status."""
        self.process.stdin.close()
        deadline = time.monotonic() + TIMEOUT
        while self.is_running and time.monotonic() < deadline:
            time.sleep(0.01)
        if self.is_running:
            self.kill()
            raise Failure("%s did not end; it logged: %s" % (" ".join(self.arguments)[:200], self.last_words()))
        self.close()
        return self.process.returncode

    def close(self):
        self.process.wait()
        for end in (self.process.stdin, self.process.stdout, self.log):
            end.close()

    def memory(self):
        """Its own resident memory, in bytes, without what it shares with others."""
        with open("/proc/%d/smaps_rollup" % self.process.pid) as file:
            values = dict(line.split()[:2] for line in file if line.startswith(("Private", "Shared")))
        return 1024 * (int(values["Private_Clean:"]) + int(values["Private_Dirty:"]))

    def cpu(self):
        """Seconds."""
        with open("/proc/%d/stat" % self.process.pid) as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class World:
    """Everything that a test starts, so that nothing is left."""

    def __init__(self, name):
        self.name = name
        self.folder = tempfile.mkdtemp(prefix="mailslots-network.", dir="/dev/shm")
        self.machines = []
        self.at_end = []

    def machine(self, host, **settings):
        machine = Machine(self, host, settings)
        self.machines.append(machine)
        return machine

    def close(self):
        for machine in self.machines:
            for program in machine.programs:
                try:
                    program.signal(signal.SIGCONT)
                    program.kill()
                except (OSError, ValueError):
                    pass
        for what in reversed(self.at_end):
            what()
        shutil.rmtree(self.folder, ignore_errors=True)


class Machine:
    def __init__(self, world, host, settings):
        self.host = host
        self.folder = os.path.join(world.folder, host)
        self.directory = os.path.join(self.folder, "mailslots")
        os.makedirs(self.directory)
        self.settings = dict(settings, host=host)
        self.prefix = ()
        self.environment = {}
        self.programs = []
        self.bridge = None
        self.address = None

    def program(self, arguments, name):
        program = Program(arguments, self.directory, os.path.join(self.folder, name + ".log"), self.prefix, self.environment)
        self.programs.append(program)
        return program

    def start(self, **changes):
        """Starts its bridge, and waits until it listens."""
        self.settings.update(changes)
        self.bridge = self.program([BRIDGE, json.dumps(self.settings)], "bridge")
        self.address = json.loads(self.bridge.line())["listening"].split()[0]
        return self

    def reload(self, **changes):
        self.settings.update(changes)
        answer = self.bridge.ask("reload " + json.dumps(self.settings))
        expect(answer == {"loaded": "yes"}, "%s did not reload: %s" % (self.host, answer))

    @property
    def port(self):
        return int(self.address.rpartition(":")[2])

    def read(self, names, capacity=4096):
        reader = self.program([TRAFFIC, "read", str(capacity)] + names, "reader")
        expect(reader.line() == "ready", "the reader is not ready")
        return reader

    def read_many(self, count, capacity):
        reader = self.program([TRAFFIC, "read-many", str(capacity), str(count)], "reader")
        expect(reader.line() == "ready", "the reader is not ready")
        return reader

    def write(self, writer, names, byte_count=100, interval=100, count=None):
        program = self.program([TRAFFIC, "write", str(writer), str(byte_count), str(interval)] + names, "writer%d" % writer)
        expect(program.line() == "ready", "the writer is not ready")
        if count is not None:
            program.tell("count %d" % count)
        return program

    def write_many(self, writer, host, count):
        return self.program([TRAFFIC, "write-many", str(writer), host, str(count)], "writer%d" % writer)


def received(report, name, writer):
    """How many came of a writer in a mailslot, and the number after the highest."""
    for stream in report["streams"]:
        if stream[0] == name and stream[1] == writer:
            return stream[2], stream[3]
    return 0, 0


def expect_whole(report, what, in_order=False):
    for cause in ("torn", "foreign", "duplicates") + (("late",) if in_order else ()):
        expect(report[cause] == 0, "%s: %d %s" % (what, report[cause], cause))


def settled(reader):
    """A report after which, for a while, nothing more came."""
    last = [None, 0]

    def is_still():
        report = reader.ask()
        if last[0] is not None and last[0]["received"] == report["received"]:
            last[1] += 1
        else:
            last[1] = 0
        last[0] = report
        return last[1] >= 25

    eventually("nothing more comes", is_still)
    return last[0]
