"""What is listed is listed completely: folders, tests, articles, links, the version, and every file by something."""

import os
import posixpath
import re

from rules import rule

CATALOG = "Sources/Mailslots/Mailslots.docc"

# The top level stays as it is, dot files apart.
TOP = {"Benchmarks", "LICENSE", "Package.swift", "README.md", "Sources", "Tests"}


@rule("readme", "the README names every folder at the top, of Sources and of the tests, and nothing else is at the top")
def readme(tree):
    shown = (tree.text("README.md") or "").partition("\n## The tree\n")[2].partition("```\n")[2].partition("```")[0]
    columns = [line.split("  ")[0] for line in shown.splitlines() if line and not line[0].isspace()]
    named = {name.strip().rstrip("/") for column in columns for name in column.split(",")}
    top = {path.split("/")[0] for path in tree.files if not path.startswith(".")}
    for name in sorted(top ^ TOP):
        yield name, "is not to be at the top level" if name in top else "is not there"
    folders = set(tree.folders("Sources/*")) | {"Tests", "Benchmarks"}
    folders |= {path.split("/")[0] for path in tree.files if path.startswith(".") and "/" in path}
    for folder in sorted(folders):
        if not any(name == folder or folder.startswith(".") and name.startswith(folder) for name in named):
            yield "README.md", f"“The tree” does not name {folder}"
    for name in sorted(named):
        if not any(path == name or path.startswith(name + "/") for path in tree.files):
            yield "README.md", f"“The tree” names {name}, which is not there"
    for group in ("Tests/Calls", "Tests/Promises", "Tests/Systems"):
        row = re.search(rf"^\| `{group}` \|(.*)$", tree.text("README.md") or "", flags=re.M)
        listed = set(re.findall(r"`(\w+)`", row[1] if row else ""))
        for name in sorted({posixpath.basename(folder) for folder in tree.folders(f"{group}/*")} ^ listed):
            yield "README.md", f"the row of {group} " + (f"names {name}, which is not there" if name in listed else f"does not name {name}")


@rule("tests", "every folder of tests has an entry `run` that can be run, and a line in Tests/README.md, which names nothing else")
def tests(tree):
    text = tree.text("Tests/README.md")
    if text is None:
        yield "Tests/README.md", "is not there"
    for folder in tree.folders("Tests/*/*"):
        if folder.startswith("Tests/Support/"):
            continue
        if f"{folder}/run" not in tree.paths:
            yield folder, "has no `run`"
        elif not os.access(tree.root / folder / "run", os.X_OK):
            yield f"{folder}/run", "cannot be run"
        if text is not None and not re.search(re.escape(folder.removeprefix("Tests/")) + r"(?!\w)", text):
            yield "Tests/README.md", f"does not name {folder}"
    for path in sorted(set(re.findall(r"`(Tests/[\w/]+)", text or ""))):
        if path not in tree.paths:
            yield "Tests/README.md", f"names {path}, which is not there"
    steps = set(re.findall(r"^(\w+)\(\) \{", tree.text(".ci/steps.sh") or "", flags=re.M)) | {"fast"}
    for words in re.findall(r"`\.ci/run ([\w ]+)", text or ""):
        for step in set(words.split()) - steps:
            yield "Tests/README.md", f"names the step {step}, which is not there"


@rule("articles", "every article is linked from the root page of the documentation")
def articles(tree):
    root = tree.text(f"{CATALOG}/Mailslots.md") or ""
    for path in tree.under(CATALOG, ".md"):
        name = posixpath.basename(path)[:-3]
        if name != "Mailslots" and f"\n- <doc:{name}>\n" not in root:
            yield f"{CATALOG}/Mailslots.md", f"does not link {name}"


@rule("bridge", "the bridge's README lists every file of the bridge, of MailslotsWire and of MailslotsKeys")
def bridge(tree):
    readme = "Sources/MailslotsBridge/README.md"
    listed = set()
    for row in (tree.text(readme) or "").splitlines():
        if row.startswith("| `"):
            listed |= {posixpath.basename(name.rstrip("/")) for name in re.findall(r"`([^`]+)`", row.split("|")[1])}
    files = [path for target in ("MailslotsBridge", "MailslotsWire", "MailslotsKeys") for path in tree.under(f"Sources/{target}")]
    for path in files:
        parts = path.split("/")[2:]
        if path != readme and not listed & set(parts[-1:] + parts[:-1]):
            yield readme, f"does not list {path}"
    for name in sorted(listed - {part for path in files for part in path.split("/")}):
        yield readme, f"lists {name}, which is not there"


@rule("links", "what a page links is there")
def links(tree):
    for path in tree.files:
        if not path.endswith(".md"):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            for link in re.findall(r"\]\(([^)#:\s<>]+)(?:#[^)]*)?\)", line):
                # In the catalog a link may be the name of a picture.
                place = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
                pictures = [f"{CATALOG}/Resources/{link}.{kind}" for kind in ("svg", "png")] if path.startswith(CATALOG) else []
                if not any(it == place or it.startswith(place + "/") or it in pictures for it in tree.files):
                    yield f"{path}:{number}", f"links {link}, which is not there"


@rule("version", "one version number: that of version.h, and the same wherever a page, a script or a program says it")
def version(tree):
    header = "Sources/CMailslots/include/mailslots/version.h"
    numbers = re.findall(r"^#define MSLOT_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", tree.text(header) or "", flags=re.M)
    if len(numbers) != 3:
        yield header, "has no MSLOT_VERSION_MAJOR, MINOR and PATCH"
        return
    ours = ".".join(numbers)
    newest = re.search(r"^## (\S+)$", tree.text(f"{CATALOG}/ReleaseNotes.md") or "", flags=re.M)
    if not newest or newest[1] != ours:
        yield f"{CATALOG}/ReleaseNotes.md", f"begins with {newest and newest[1]}, where {header} says {ours}"
    saying = (
        r'Mailslots\.git", from: "(\d+\.\d+\.\d+)"',  # a client's manifest
        r"^version=[\"']?(\d+\.\d+\.\d+)",  # a script
        r'^version = "(\d+\.\d+\.\d+)"',  # a manifest of cargo
        r'\bversion: "(\d+\.\d+\.\d+)"',  # a program's --version
        r"\| the package \|.*`(\d+\.\d+\.\d+)`",  # Upgrading
    )
    said = 0
    for path in tree.files:
        for number, line in enumerate((tree.text(path) or "").splitlines(), 1):
            for pattern in saying:
                for match in re.finditer(pattern, line):
                    said += 1
                    if match[1] != ours:
                        yield f"{path}:{number}", f"says {match[1]}, where {header} says {ours}"
    if said < 3:
        yield header, "what says the version elsewhere is not found: mend the patterns of this rule"


# Files that are found by a rule of their own, and by whom.
FOUND = {
    r"LICENSE": "people and GitHub look for it",
    r"README\.md": "the front door",
    r"\.gitignore|\.editorconfig|\.clang-format|\.swift-format": "tools look for it, in this place",
    r"\.github/CONTRIBUTING\.md": "GitHub links it",
    r"\.githooks/[a-z-]+": "git looks for it, once core.hooksPath is set",
    r"(.*/)?Package\.swift": "the package manager looks for it",
    r"(.*/)?__main__\.py": "Python runs a folder by it",
    r"(.*/)?CMakeLists\.txt": "CMake looks for it",
    r"Sources/Rust/.*": "cargo finds it, by its name or by its place",
    r"Sources/Python/(pyproject\.toml|setup\.py)": "pip builds the package by them",
    r".*\.docc/.*": "docc takes the whole catalog; see the rule `articles`",
    r"Sources/CMailslots\w*/lib[a-z0-9-]+\.map": "install.sh takes the one with the library's name",
    r".*/module\.modulemap": "the compiler looks for it beside the headers",
    r"Tests/Promises/(Wire)?Fuzz/corpus/.*": "the fuzzers take the whole folder",
    r"Sources/CMailslotsWin32/include/.*\.h": "programs written for Windows include it by this name",
}


@rule("named", "every file is compiled by a target, or named by something that is not a list of exclusions")
def named(tree):
    compiled = set()
    for target in tree.targets.values():
        compiled |= set(tree.under(target.folder, ".swift", ".c"))
    for package in (path for path in tree.files if path.endswith("/Package.swift")):
        compiled |= set(tree.under(posixpath.dirname(package), ".swift", ".c", ".cpp"))
    names, stems, kinds, texts = {}, {}, {}, {}
    for other in tree.files:
        text = tree.text(other)
        # The self-test names files that it adds, so that nothing names them.
        if text is None or "/corpus/" in other or other.endswith("Tidy/self_test.py"):
            continue
        if other.endswith("Package.swift"):
            text = re.sub(r"exclude: \[[^\]]*\]", "", text)
        texts[other] = text
        for word in set(re.findall(r"[\w~+-]+(?:[./][\w~+-]+)*", text)):
            parts = word.split("/")
            for name in {parts[-1], "/".join(parts[-2:])}:
                names.setdefault(name, set()).add(other)
            stems.setdefault(word, set()).add(other)
        for place, kind in re.findall(r"([\w./${}\"-]*)\*(\.\w+)\b", text):
            kinds.setdefault(kind, set()).add((other, posixpath.basename(place.strip('"/'))))
    for path in tree.files:
        if path in compiled or any(re.fullmatch(pattern, path) for pattern in FOUND):
            continue
        folder, name = posixpath.split(path)
        stem, kind = posixpath.splitext(name)
        # What many folders have is named with its folder, a dot before it or not.
        if name in ("run", "README.md") or not kind:
            name = posixpath.basename(folder).lstrip(".") + "/" + name
        if names.get(name, set()) - {path}:
            continue
        # A script beside it, or one that names its folder, names it without its kind, or takes all of its kind: `"$folder"/*.c`.
        knows = lambda other: posixpath.dirname(other) == folder or f"{'/'.join(folder.split('/')[-2:])}/" in texts[other]
        says = lambda other: f'"{stem}"' in texts[other] if other.endswith(".swift") else is_script(other)
        if any(says(other) and knows(other) for other in stems.get(stem, set()) - {path}):
            continue
        if any(posixpath.dirname(other) == folder or place == posixpath.basename(folder) for other, place in kinds.get(kind, ())):
            continue
        yield path, "nothing names it"


def is_script(path):
    return path.endswith((".sh", ".py")) or "." not in posixpath.basename(path)
