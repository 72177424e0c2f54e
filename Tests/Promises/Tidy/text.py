"""Lines and commits: what a formatter does not see."""

import re

from rules import Skipped, rule

COLUMNS = 140
SUBJECT_COLUMNS = 72
# The commit since which there is the rule, by its subject: hashes change where a history is copied. What is older stays as it is.
RULE_SINCE = "c: put the noun first, and two underscores before what is private"

# Not ours to wrap, and why.
WIDE = {
    r".*\.(svg|json|mutants|pml)": "data, or lines that are compared with others'",
    r"Tests/Promises/Instructions/orders": "a table",
    r"Tests/Calls/Core/not-covered\.txt": "a table",
    r"Tests/Calls/Win32Programs/.*\.(c|cpp)": "programs written for Windows, as they were written",
}


@rule("lines", f"no line is over {COLUMNS} columns, none ends in white space, every file ends in a line feed")
def lines(tree):
    for path in tree.files:
        text = tree.text(path)
        if text is None or "/corpus/" in path:
            continue
        wide = any(re.fullmatch(pattern, path) for pattern in WIDE)
        for number, line in enumerate(text.split("\n"), 1):
            # A row of a table cannot be wrapped, nor can one long word, such as an address.
            if len(line) > COLUMNS and not wide and not (path.endswith(".md") and line.startswith(("|", "!["))) and " " in line.strip():
                yield f"{path}:{number}", f"{len(line)} columns"
            if line != line.rstrip():
                yield f"{path}:{number}", "ends in white space"
        if text and not text.endswith("\n"):
            yield path, "does not end in a line feed"


def message_problems(message, is_draft=False):
    """What is wrong with a commit's message. A draft may be a fixup, to be folded in later."""
    message = message.partition("\n# ------------------------ >8 ")[0]
    lines = [line.rstrip() for line in message.split("\n") if not line.startswith("#")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        return
    subject, body = lines[0], lines[1:]
    if re.match(r"(fixup|squash|amend)! ", subject):
        if not is_draft:
            yield "is a fixup: fold it in"
        return
    if len(subject) > SUBJECT_COLUMNS:
        yield f"the subject has {len(subject)} columns, more than {SUBJECT_COLUMNS}"
    if not re.match(r"[a-z0-9][a-z0-9 ,+./-]{0,30}: \S", subject):
        yield "the subject begins with no area, as in “ring: …”"
    if re.search(r"\bwip\b", subject, flags=re.I):
        yield "is work in progress"
    if subject.endswith("."):
        yield "the subject ends in a full stop"
    if body and body[0]:
        yield "no blank line is below the subject"
    if not any(body):
        yield "no body says why"


@rule("commits", "a commit has a subject with an area, of at most 72 columns, and a body; no merges")
def commits(tree):
    if not tree.has_history:
        raise Skipped("there is no history here")
    subjects = (line.partition(" ") for line in tree.git("log", "--format=%H %s").splitlines())
    since = next((commit for commit, _, subject in subjects if subject == RULE_SINCE), None)
    if since is None:
        raise Skipped("the history does not reach back to the rule")
    for entry in tree.git("log", "-z", "--format=%H %p%n%B", f"{since}..HEAD").split("\0"):
        if not entry.strip():
            continue
        head, _, message = entry.partition("\n")
        commit, *parents = head.split()
        if len(parents) > 1:
            yield commit[:7], "is a merge"
        for words in message_problems(message):
            yield commit[:7], f"{words}: {message.splitlines()[0]}"
