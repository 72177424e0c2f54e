"""Arrows point down: between targets, between folders, between the files of the core.

What may use what is said in one place, the two tables of Architecture.md, so that the article cannot rot.
"""

import posixpath
import re
import subprocess

from rules import Skipped, rule
from tree import without_comments

ARTICLE = "Sources/Mailslots/Mailslots.docc/Architecture.md"

# What every Swift file may import without a word in the manifest: the toolchain's own modules.
TOOLCHAIN = {
    "Dispatch", "Distributed", "Foundation", "FoundationEssentials", "Glibc", "Musl", "PackageDescription", "Synchronization", "Testing"
}

# Modules that come with a product of another name.
MODULES_OF = {"Crypto": {"CCryptoBoringSSL", "CCryptoBoringSSLShims"}}

# All that the ring asks of the system: memory, and words for it.
FREESTANDING = {"cstddef", "stdbool.h", "stddef.h", "stdint.h", "string.h"}


def table(tree, title):
    """The rows of the article's table under this title, cell by cell; a cell's `words` are those in backquotes."""
    text = tree.text(ARTICLE)
    if text is None or f"\n### {title}\n" not in text:
        raise LookupError(f"{ARTICLE} has no table under “### {title}”")
    section = text.split(f"\n### {title}\n")[1].split("\n#")[0]
    rows = [line.strip().strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def words(cell):
    return set(re.findall(r"`([^`]+)`", cell))


@rule("targets", "a target uses what is below it, as Architecture.md and Package.swift say alike")
def targets(tree):
    floors, used, packages = {}, {}, {}
    for floor, target, uses, products, *_ in table(tree, "Targets"):
        (name,) = words(target)
        floors[name], used[name], packages[name] = int(floor), words(uses), words(products)
    ours = {name: target for name, target in tree.targets.items() if target.folder.startswith("Sources/")}
    for name in sorted(ours.keys() ^ floors.keys()):
        yield ARTICLE, f"{name} is in {'Package.swift' if name in ours else 'the table of targets'} alone"
    for name in sorted(ours.keys() & floors.keys()):
        for what, said, true in (("uses", used[name], ours[name].uses), ("packages", packages[name], ours[name].products)):
            if said != true:
                yield ARTICLE, f"{name}, {what}: the article says {sorted(said)}, Package.swift {sorted(true)}"
        for below in sorted(ours[name].uses & floors.keys()):
            if floors[below] >= floors[name]:
                yield "Package.swift", f"{name}, on floor {floors[name]}, uses {below}, on floor {floors[below]}"


@rule("imports", "a file imports and includes only what its target depends on")
def imports(tree):
    headers = {}
    for target in tree.targets.values():
        for folder in (f"{target.folder}/include", target.folder):
            for path in tree.under(folder, ".h"):
                headers.setdefault(path.removeprefix(folder + "/"), target.name)
    for target in tree.targets.values():
        uses = target.uses | target.products
        if target.folder.startswith("Tests/"):
            # A test may look into whatever is below what it tests.
            uses = reachable(tree, target)
        uses |= {module for product in uses for module in MODULES_OF.get(product, ())} | TOOLCHAIN
        others = [other for other in tree.targets.values() if other.folder.startswith(target.folder + "/")]
        theirs = tuple(other.folder + "/" for other in others)
        mine = [path for path in tree.under(target.folder, ".swift", ".c", ".h") if not path.startswith(theirs)]
        for path in mine:
            text = without_comments(tree.text(path) or "")
            if path.endswith(".swift"):
                for line, module in matches(r"^\s*(?:@\w+ )*(?:(?:public|package|internal|private) )?import (?:\w+ )?(\w+)", text):
                    if module not in uses:
                        yield f"{path}:{line}", f"imports {module}, on which {target.name} does not depend"
                continue
            for line, name in matches(r'^\s*#\s*include(?:_next)? ["<]([^">]+)[">]', text):
                beside = posixpath.normpath(f"{posixpath.dirname(path)}/{name}")
                if beside in tree.paths:
                    if not beside.startswith((target.folder + "/", "Tests/")):
                        yield f"{path}:{line}", f"includes {name}, which is not {target.name}'s"
                elif name in headers and headers[name] not in uses | {target.name}:
                    yield f"{path}:{line}", f"includes {name} of {headers[name]}, on which {target.name} does not depend"


def reachable(tree, target):
    found, todo = set(), [target]
    while todo:
        it = todo.pop()
        found |= it.uses | it.products | {it.name}
        todo += [tree.targets[name] for name in it.uses if name in tree.targets]
    return found


def matches(pattern, text):
    for match in re.finditer(pattern, text, flags=re.M):
        yield text.count("\n", 0, match.start(1)) + 1, match[1]


@rule("ring", "the ring knows nothing of Linux: neither a header above it nor one of the system's")
def ring(tree):
    folder = "Sources/CMailslots"
    seen = set()
    todo = tree.under(f"{folder}/Ring", ".c", ".h")
    if not todo:
        yield f"{folder}/Ring", "has no file"
    above = {f"{folder}/include/mailslots.h", f"{folder}/include/mailslots/handle.h"}
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for line, name in matches(r'^\s*#\s*include ["<]([^">]+)[">]', without_comments(tree.text(path))):
            places = [posixpath.normpath(f"{place}/{name}") for place in (posixpath.dirname(path), f"{folder}/include")]
            place = next((place for place in places if place in tree.paths), None)
            if place in above or place and place.startswith((f"{folder}/Linux/", f"{folder}/Remote/")):
                yield f"{path}:{line}", f"includes {name}, which is above the ring"
            elif place:
                todo.append(place)
            elif name not in FREESTANDING:
                yield f"{path}:{line}", f"includes <{name}>: the ring asks nothing of the system"


@rule("folders", "a folder names no Swift type, and includes no header, of a folder that its row in Architecture.md does not name")
def folders(tree):
    may = {}
    for row, uses, *_ in table(tree, "Folders"):
        row = {"Sources/" + name for name in words(row)}
        may |= {name: row | {"Sources/" + use for use in words(uses)} for name in row}
    for place in may:
        for missing in sorted(may[place] - may.keys()):
            yield ARTICLE, f"{place} may use {missing}, which has no row"
        if place not in tree.paths and not tree.under(place):
            yield ARTICLE, f"there is no {place}"
    # A file belongs to the innermost row that holds it; a row may also be of files.
    home = lambda path: max((place for place in may if path == place or path.startswith(place + "/")), key=len, default=None)
    declared, own, sources = {}, {}, {}
    for path in tree.under("Sources", ".swift", ".c", ".h"):
        if not (place := home(path)):
            continue
        text = without_strings(without_comments(tree.text(path))) if path.endswith(".swift") else tree.text(path)
        sources[path] = place, text
        if path.endswith(".h"):
            declared.setdefault(posixpath.basename(path), set()).add(place)
        for _, indentation, name in TYPES.findall(text) if path.endswith(".swift") else ():
            # A type inside another is known by its name alone where it is declared, and there hides one of the same name.
            if indentation:
                own.setdefault(place, set()).add(name)
            else:
                declared.setdefault(name, set()).add(place)
    target = lambda place: place.split("/")[1]
    for path, (place, text) in sources.items():
        seen = set()
        for line, name in matches(r"\b([A-Z]\w+)\b" if path.endswith(".swift") else INCLUDES, text):
            homes = {other for other in declared.get(name, ()) if target(other) == target(place)}  # across targets: the rule `imports`
            if name in seen or not homes or homes & may[place] or any(name in own.get(other, ()) for other in may[place]):
                continue
            seen.add(name)
            yield f"{path}:{line}", f"names {name} of {', '.join(sorted(homes))}, which {place} may not use: see {ARTICLE}"


INCLUDES = r'^\s*#\s*include "(?:[^"]*/)?([^"/]+)"'
TYPES = re.compile(
    r"^(( *)(?:@\S+ )*(?:(?:public|package|internal|fileprivate|private|final|indirect) )*)"
    r"(?:struct|class|enum|actor|protocol|typealias) (\w+)", flags=re.M)


def without_strings(text):
    """Interpolations stay: what is in them is code."""
    keep = lambda match: " ".join(re.findall(r"\\\(([^()]*(?:\([^()]*\)[^()]*)*)\)", match[0]))
    return re.sub(r'"(?:\\\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|\\.|[^"\\\n])*"', keep, text)


@rule("circles", "in a C target no file calls one of a folder above, and no circle is in who calls whom")
def circles(tree):
    program = tree.root / "Tests/Support/call_graph"
    if not program.exists():
        raise Skipped("Tests/Support/call_graph is not there")
    folders = {}
    for row, uses, *_ in table(tree, "Folders"):
        folders |= {name: len(words(uses)) for name in words(row)}
    runs = {}
    for target in sorted({path.split("/")[1] for path in tree.under("Sources", ".c")} & tree.targets.keys()):
        lowest_first = sorted((name for name in folders if name.startswith(target + "/")), key=folders.get)
        command = [program, f"Sources/{target}", *(name.removeprefix(target + "/") for name in lowest_first)]
        runs[target] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tree.root)
    unseen = []
    for target, run in runs.items():
        output, errors = run.communicate()
        if run.returncode > 1:
            unseen.append(f"{target}: {(errors or output).strip().splitlines()[0]}")
            continue
        wrong = [line for line in output.splitlines() if "points up" in line or line.startswith("circle")]
        for line in wrong or ([] if run.returncode == 0 else [output + errors]):
            yield f"Sources/{target}", line
    if unseen:
        raise Skipped("; ".join(unseen))
