"""Each rule has to notice what it is for: one break after another, in a copy of the tree."""

import pathlib
import re
import shutil
import subprocess
import tempfile

import text
from rules import RULES, Skipped
from tree import Tree

BREAKS = []


def breaks(rule, *expected):
    """Marks a function that breaks the copy; what the rule then says in addition must match each of `expected`."""

    def add(function):
        BREAKS.append((rule, expected, function))
        return function

    return add


class Copy:
    """A copy of the tree, without its history, that can be put back."""

    def __init__(self, original, folder):
        self.original, self.root, self.touched = original, pathlib.Path(folder), set()
        for path in original.files:
            self._restore(path)

    def _restore(self, path):
        place = self.root / path
        if path in self.original.paths:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.original.root / path, place)
        else:
            place.unlink(missing_ok=True)

    def restore(self):
        for path in self.touched:
            self._restore(path)
        self.touched.clear()

    def write(self, path, content):
        self.touched.add(path)
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(content)

    def add(self, path, content):
        self.write(path, (self.root / path).read_text() + content)

    def change(self, path, pattern, replacement):
        changed, count = re.subn(pattern, replacement, (self.root / path).read_text(), count=1, flags=re.M)
        assert count == 1, f"{path} has no {pattern}: mend this test"
        self.write(path, changed)

    def remove(self, path):
        self.touched.add(path)
        (self.root / path).unlink()


ARTICLE = "Sources/Mailslots/Mailslots.docc/Architecture.md"


@breaks("targets", "CMailslots, on floor 1, uses Mailslots")
def _(copy):
    copy.change("Package.swift", r'\.target\(name: "CMailslots", ', '.target(name: "CMailslots", dependencies: ["Mailslots"], ')


@breaks("targets", "Package.swift alone")
def _(copy):
    copy.change("Package.swift", r"^    targets: \[\n", '    targets: [\n        .target(name: "Another"),\n')


@breaks("targets", "Mailslots, packages: the article says")
def _(copy):
    logging = '.product(name: "Logging", package: "swift-log")'
    copy.change("Package.swift", r'name: "Mailslots", dependencies: \["CMailslots"', rf"\g<0>, {logging}")


@breaks("imports", "imports MailslotsBridge")
def _(copy):
    copy.add("Sources/Mailslots/Mailslot.swift", "internal import MailslotsBridge\n")


@breaks("imports", "includes mailslots_datagram.h of CMailslotsDatagram")
def _(copy):
    copy.add("Sources/CMailslots/Linux/lock.c", "#include <mailslots_datagram.h>\n")


@breaks("imports", "which is not CMailslots's")
def _(copy):
    copy.add("Sources/CMailslots/Linux/lock.c", '#include "../../CMailslotsWin32/win.h"\n')


@breaks("ring", "includes ../Linux/linux.h, which is above the ring")
def _(copy):
    copy.add("Sources/CMailslots/Ring/read.c", '#include "../Linux/linux.h"\n')


@breaks("ring", "asks nothing of the system")
def _(copy):
    copy.add("Sources/CMailslots/include/mailslots/ring.h", "#include <unistd.h>\n")


@breaks("folders", "names MailslotMessages")
def _(copy):
    copy.add("Sources/Mailslots/Mailslot.swift", "func tail() -> MailslotMessages? { nil }\n")


@breaks("folders", "there is no Sources/Mailslots/Elsewhere")
def _(copy):
    copy.change(ARTICLE, r"`Mailslots/Async`", "`Mailslots/Elsewhere`")


# All at once, for this rule compiles every C file.
@breaks(
    "circles",
    "Sources/CMailslots: circle: .*Linux/lock.c -> Linux/name.c",
    "Ring/read.c -> Linux/lock.c points up",
    "Sources/CMailslotsWin32: circle: .*strsafe.c -> .*format.c|Sources/CMailslotsWin32: circle: .*format.c -> .*strsafe.c")
def _(copy):
    copy.add("Sources/CMailslots/Linux/lock.c", "void mslot__there(void);\nvoid mslot__here(void) { mslot__there(); }\n")
    copy.add("Sources/CMailslots/Linux/name.c", "void mslot__here(void);\nvoid mslot__there(void) { mslot__here(); }\n")
    copy.add("Sources/CMailslots/Ring/read.c", "void mslot__here(void);\nvoid mslot__below(void) { mslot__here(); }\n")
    copy.add("Sources/CMailslotsWin32/strsafe.c", "void mslot__there(void);\nvoid mslot__here(void) { mslot__there(); }\n")
    copy.add("Sources/CMailslotsWin32/format.c", "void mslot__here(void);\nvoid mslot__there(void) { mslot__here(); }\n")


@breaks("readme", "does not name Sources/Another")
def _(copy):
    copy.write("Sources/Another/another.c", "\n")


@breaks("readme", "is not to be at the top level")
def _(copy):
    copy.write("NOTES.md", "\n")


@breaks("readme", "which is not there")
def _(copy):
    copy.change("README.md", r"^Sources/MailslotsService ", "Sources/MailslotsElsewhere ")


@breaks("readme", "the row of Tests/Promises does not name Hopes")
def _(copy):
    copy.write("Tests/Promises/Hopes/run", "\n")


@breaks("readme", "the row of Tests/Systems names NIO, which is not there")
def _(copy):
    for path in ("Tests/Systems/NIO/run", "Tests/Systems/NIO/Package.swift", "Tests/Systems/NIO/Tests/NIOExampleTests.swift"):
        copy.remove(path)


@breaks("tests", "Tests/Promises/Hopes: has no `run`")
def _(copy):
    copy.write("Tests/Promises/Hopes/README.md", "\n")


@breaks("tests", "cannot be run")
def _(copy):
    copy.touched.add("Tests/Promises/Model/run")
    (copy.root / "Tests/Promises/Model/run").chmod(0o644)


@breaks("tests", "does not name Tests/Promises/Hopes")
def _(copy):
    copy.write("Tests/Promises/Hopes/run", "\n")


@breaks("tests", "names Tests/Promises/Hopes/run, which is not there")
def _(copy):
    copy.change("Tests/README.md", r"\Z", "`Tests/Promises/Hopes/run`\n")


@breaks("tests", "names the step hopes, which is not there")
def _(copy):
    copy.change("Tests/README.md", r"\Z", "`.ci/run hopes`\n")


@breaks("articles", "does not link Orphan")
def _(copy):
    copy.write("Sources/Mailslots/Mailslots.docc/Orphan.md", "# Orphan\n")


@breaks("bridge", "does not list Sources/MailslotsBridge/Sending/Another.swift")
def _(copy):
    copy.write("Sources/MailslotsBridge/Sending/Another.swift", "\n")


@breaks("bridge", "lists Bridge.swift, which is not there")
def _(copy):
    copy.remove("Sources/MailslotsBridge/Bridge.swift")


@breaks("links", "links Sources/Nowhere, which is not there")
def _(copy):
    copy.add("README.md", "[here](Sources/Nowhere)\n")


@breaks("version", "install.sh.* says 9.9.9")
def _(copy):
    copy.change("Sources/CMailslots/install.sh", r"^version=.*", "version=9.9.9")


@breaks("version", "README.md.* says 9.9.9")
def _(copy):
    copy.change("README.md", r'(Mailslots\.git", from: ")[0-9.]+', r"\g<1>9.9.9")


@breaks("version", "ReleaseNotes.md.* begins with 9.9.9")
def _(copy):
    copy.change("Sources/Mailslots/Mailslots.docc/ReleaseNotes.md", r"^## ", "## 9.9.9\n\n## ")


@breaks("named", "Tests/Promises/Model/unheard_of.txt: nothing names it")
def _(copy):
    copy.write("Tests/Promises/Model/unheard_of.txt", "\n")


@breaks("named", "Sources/MailslotsBridge/old.json: nothing names it")
def _(copy):
    copy.write("Sources/MailslotsBridge/old.json", "{}\n")
    copy.change("Package.swift", r'"bridge.json"', '"bridge.json", "old.json"')


@breaks("named", "Tests/Support/forgotten.sh: nothing names it")
def _(copy):
    copy.write("Tests/Support/forgotten.sh", "\n")


@breaks("lines", "141 columns")
def _(copy):
    copy.add("README.md", "a " * 70 + "b\n")


@breaks("lines", "ends in white space")
def _(copy):
    copy.add(".ci/run", "true \n")


@breaks("lines", "does not end in a line feed")
def _(copy):
    copy.add("README.md", "end")


GOOD = "ring: keep one order\n\nBecause of the other.\n"
MESSAGES = {
    "more than 72": f"ring: {'x' * 70}\n\nWhy.\n",
    "no area": "Keep one order\n\nWhy.\n",
    "work in progress": "ring: wip\n\nWhy.\n",
    "full stop": "ring: keep one order.\n\nWhy.\n",
    "no blank line": "ring: keep one order\nWhy.\n",
    "no body": "ring: keep one order\n",
    "is a fixup": "fixup! ring: keep one order\n",
}


def commits_are_noticed(folder):
    """Yields what the rule for commits did not see, in a history of its own."""
    git = lambda *arguments, **more: subprocess.run(
        ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", *arguments],
        check=True, capture_output=True, text=True, **more).stdout.strip()
    commit = lambda message: git("commit", "-q", "--allow-empty", "--no-verify", "-F", "-", input=message)
    rule = RULES["commits"][1]
    git("init", "-q", "-b", "main")
    commit("The beginning, before the rule")
    commit(text.RULE_SINCE)
    commit(GOOD)
    if found := list(rule(Tree(folder))):
        yield f"a good commit is refused: {found}"
    good = git("rev-parse", "HEAD")
    for expected, message in MESSAGES.items():
        commit(message)
        if not any(expected in words for _, words in rule(Tree(folder))):
            yield f"not noticed: {message!r}"
        git("reset", "-q", "--hard", good)
    git("checkout", "-q", "-b", "branch", "HEAD~")
    commit(GOOD.replace("one", "another"))
    git("merge", "-q", "-m", GOOD, "main")
    if not any("is a merge" in words for _, words in rule(Tree(folder))):
        yield "not noticed: a merge"


def main(root, only):
    tried = missed = 0
    seen = set()

    def say(problems):
        nonlocal missed
        for problem in problems:
            missed += 1
            print(f"not ok: {problem}")

    def problems(rule, tree):
        try:
            return {f"{place}: {words}" for place, words in RULES[rule][1](tree)}
        except LookupError as error:
            return {str(error)}

    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Tree(root), folder)
        before = {}
        for rule, expected, function in BREAKS:
            if only and rule not in only:
                continue
            try:
                if rule not in before:
                    before[rule] = problems(rule, Tree(folder))
                function(copy)
                after = problems(rule, Tree(folder))
            except Skipped as reason:
                print(f"skipped: {rule}: {reason}")
                seen.add(rule)
                continue
            finally:
                copy.restore()
            tried += 1
            seen.add(rule)
            for words in expected:
                if not any(re.search(words, problem) for problem in after - before[rule]):
                    say([f"{rule} does not notice “{words}”; it says {sorted(after - before[rule])}"])
    if not only or "commits" in only:
        with tempfile.TemporaryDirectory() as folder:
            say(commits_are_noticed(folder))
        tried += len(MESSAGES) + 2
        seen.add("commits")
    say(f"nothing breaks the rule {rule}" for rule in (only or RULES) if rule not in seen)
    print(f"{tried} breaks tried, {missed} not noticed")
    return bool(missed)
