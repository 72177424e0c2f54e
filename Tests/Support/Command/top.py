"""Runs `mailslot top` on a terminal of its own, presses keys, sends signals, and looks at the screen.

Arguments: the program, the mailslot that has the most messages, one that has fewer, and comes first by its name."""
import fcntl, os, pty, re, select, signal, struct, sys, termios, time

program, busy, first = sys.argv[1:]
TIMEOUT = 60


class Shell:
    """A session of its own that starts the program as a shell does: in the foreground of a terminal, and able to be stopped."""

    def __init__(self, rows, columns):
        self.screen = b""
        self.reports, report = os.pipe()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.close(self.reports)
            self.lead(report)
        os.close(report)
        self.resize(rows, columns, tell=False)
        self.before = termios.tcgetattr(self.terminal)
        os.write(self.terminal, b"go\n")
        self.child = int(self.report().split()[1])

    def lead(self, report):
        sys.stdin.readline()
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(0, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            os.environ["TERM"] = "xterm"
            os.execv(program, [program, "top", "--interval", "0.1"])
        os.write(report, b"started %d\n" % child)
        while True:
            _, status = os.waitpid(child, os.WUNTRACED)
            if os.WIFSTOPPED(status):
                os.write(report, b"stopped %d\n" % os.WSTOPSIG(status))
                continue
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
            os.write(report, b"ended %d\n" % code)
            sys.stdin.readline()
            os._exit(0)

    def report(self):
        """The next thing that the shell tells of its child."""
        line = b""
        while not line.endswith(b"\n"):
            assert select.select([self.reports], [], [], TIMEOUT)[0], "the program neither ended nor stopped"
            line += os.read(self.reports, 1)
        return line.decode().strip()

    def resize(self, rows, columns, tell=True):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, what, condition):
        end = time.monotonic() + TIMEOUT
        while not condition(self.screen):
            assert time.monotonic() < end, f"waited in vain for {what}; the screen is {self.screen[-2000:]!r}"
            if select.select([self.terminal], [], [], 0.1)[0]:
                self.screen += os.read(self.terminal, 65536)

    def fresh(self):
        """Forgets what is on the screen, and waits for a frame that was drawn whole afterwards."""
        self.screen = b""
        self.wait_for("two frames", lambda screen: screen.count(b"\x1b[J") >= 2)
        return self.frame()

    def frame(self):
        """The lines of the last frame that is there whole."""
        frames = re.findall(rb"\x1b\[H(.*?)\x1b\[J", self.screen, re.S)
        return [line.replace(b"\x1b[K", b"").decode() for line in frames[-1].split(b"\r\n")]

    def press(self, key):
        os.write(self.terminal, key.encode())

    def expect_restored(self):
        self.wait_for("the screen from before", lambda screen: b"\x1b[?1049l" in screen and b"\x1b[?25h" in screen)
        assert termios.tcgetattr(self.terminal) == self.before, "the terminal's settings were not restored"

    def end(self):
        os.write(self.terminal, b"\n")
        os.waitpid(self.pid, 0)
        os.close(self.terminal)
        os.close(self.reports)


def rows_of(frame):
    return [line.split()[0] for line in frame[3:] if line.strip()]


def test_keys():
    shell = Shell(24, 120)
    shell.wait_for("a table", lambda screen: busy.encode() in screen and b"\x1b[?1049h" in screen)
    frame = shell.fresh()
    assert re.match(r"\d+ mailslots, ", frame[0]), frame[0]
    assert frame[2].split()[0] == "NAME" and frame[2].split()[-1] == "READER", frame[2]
    settings = termios.tcgetattr(shell.terminal)
    assert not settings[3] & termios.ECHO and not settings[3] & termios.ICANON, "keys are echoed"

    shell.press("w")
    shell.wait_for("the order by what waits", lambda screen: b"*waiting" in screen)
    assert rows_of(shell.fresh())[0] == busy
    shell.press("w")
    assert rows_of(shell.fresh())[-1] == busy, "not backwards"
    shell.press("n")
    shell.wait_for("the order by name", lambda screen: b"*name" in screen)
    names = rows_of(shell.fresh())
    assert names == sorted(names) and names.index(first) < names.index(busy), names
    shell.press("?")  # no column's

    shell.resize(4, 30)
    shell.screen = b""
    shell.wait_for("a smaller frame", lambda screen: b"\x1b[J" in screen and len(shell.frame()) <= 4)
    frame = shell.fresh()
    assert len(frame) == 4 and max(map(len, frame)) <= 30, frame
    shell.resize(40, 200)
    shell.screen = b""
    shell.wait_for("a larger frame", lambda screen: b"\x1b[J" in screen and len(shell.frame()) > 4)

    shell.press("q")
    assert shell.report() == "ended 0"
    shell.expect_restored()
    shell.end()


def test_end(how, status):
    shell = Shell(24, 120)
    shell.wait_for("a table", lambda screen: busy.encode() in screen)
    if isinstance(how, str):
        shell.press(how)
    else:
        os.kill(shell.child, how)
    assert shell.report() == f"ended {status}", how
    shell.expect_restored()
    shell.end()


def test_stop():
    shell = Shell(24, 120)
    shell.wait_for("a table", lambda screen: busy.encode() in screen)
    shell.press("\x1a")
    assert shell.report() == f"stopped {int(signal.SIGTSTP)}"
    shell.expect_restored()
    shell.screen = b""
    os.kill(shell.child, signal.SIGCONT)
    shell.wait_for("the table again", lambda screen: b"\x1b[?1049h" in screen and busy.encode() in screen)
    shell.press("q")
    assert shell.report() == "ended 0"
    shell.expect_restored()
    shell.end()


test_keys()
test_end("\x03", 130)
test_end(signal.SIGTERM, 143)
test_end(signal.SIGHUP, 129)
test_stop()
print("top: keys, sizes and signals do what they say")
