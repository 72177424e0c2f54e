"""The tree that is looked at: its files, their text, and what its manifest says."""

import functools
import pathlib
import re
import subprocess


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.has_history = (self.root / ".git").exists()
        self.files = self._list()
        self.paths = set(self.files)

    def _list(self):
        """What git tracks or would if it were added; in a copy without history all that is there."""
        if self.has_history:
            names = self.git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        else:
            names = [str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()]
        return sorted(name for name in set(names) if name and (self.root / name).is_file())

    def git(self, *arguments):
        return subprocess.run(["git", "-C", self.root, *arguments], check=True, capture_output=True, text=True).stdout

    @functools.cache
    def text(self, path):
        """`None` if the file is not there, or is no text."""
        try:
            return (self.root / path).read_bytes().decode()
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def under(self, folder, *suffixes):
        return [path for path in self.files if path.startswith(folder + "/") and (not suffixes or path.endswith(suffixes))]

    def folders(self, pattern):
        """The folders that the pattern names and that have files: `folders("Tests/*/*")`."""
        depth = pattern.count("/") + 1
        found = {"/".join(path.split("/")[:depth]) for path in self.files if path.count("/") >= depth}
        return sorted(folder for folder in found if pathlib.PurePath(folder).match(pattern))

    @functools.cached_property
    def targets(self):
        """Of Package.swift, by name. Read as text: to ask SwiftPM for it takes seconds."""
        manifest = without_comments(self.text("Package.swift") or "")
        found = {}
        for match in re.finditer(r"\.(target|executableTarget|testTarget|systemLibrary)\(", manifest):
            body = balanced(manifest, match.end() - 1)
            if not (name := re.match(r'\(\s*name: "([^"]+)"', body)):
                continue
            name = name[1]
            path = re.search(r'\bpath: "([^"]+)"', body)
            dependencies = re.search(r"\bdependencies: \[", body)
            dependencies = balanced(body, dependencies.end() - 1) if dependencies else ""
            products = set()
            while product := re.search(r"\.product\(", dependencies):
                call = balanced(dependencies, product.end() - 1)
                products.add(re.search(r'name: "([^"]+)"', call)[1])
                dependencies = dependencies[: product.start()] + dependencies[product.end() - 1 + len(call) :]
            uses = set(re.findall(r'"([^"]+)"', dependencies))
            found[name] = Target(name, path[1] if path else f"Sources/{name}", uses, products)
        return found


class Target:
    def __init__(self, name, folder, uses, products):
        self.name, self.folder, self.uses, self.products = name, folder, uses, products


def balanced(text, start):
    """From the bracket at `start` to the one that closes it."""
    depth = 0
    for index in range(start, len(text)):
        depth += (text[index] in "([{") - (text[index] in ")]}")
        if depth == 0:
            return text[start : index + 1]
    raise ValueError(f"a bracket that nothing closes: {text[start:start + 40]!r}")


@functools.cache
def without_comments(text):
    """C or Swift without comments, strings kept; lines stay where they are."""
    blank = lambda match: match[0] if match[0][0] == '"' else re.sub(r"[^\n]", " ", match[0])
    return re.sub(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', blank, text, flags=re.S)
