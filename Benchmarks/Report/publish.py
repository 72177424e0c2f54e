"""What the documentation says of a run, all of it from that one run: the tables of Benchmarks/README.md, the figures of README.md and of
the article Scale, and the two pictures that both show.

In these pages a measured block stands between `<!-- measured: NAME -->` and `<!-- end of measured -->`. Whatever is between, is
replaced. What people have concluded stands outside, and is read again after each run.
"""

import pathlib
import re
import sys
import textwrap

from pictures import THEMES, draw_percentiles, draw_rates

CATALOG = pathlib.Path("Sources/Mailslots/Mailslots.docc")
COLUMNS = 140
# Who is in the picture of percentiles: twenty lines would say nothing. The tables have everybody.
IN_PERCENTILES = ["CMailslots", "aeron-ipc", "eventfd-ring", "boost-queue", "pipe", "unix-seqpacket", "iceoryx", "swift-nio", "zeromq-ipc",
                  "nats"]
PERCENTILES, RATES = "round-trip-mixed", "one-way-32"
DAGGER = " †"


def wrapped(text, indent=""):
    return textwrap.fill(text, COLUMNS, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


def micros(nanoseconds):
    value = nanoseconds / 1e3
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"


def millions(rate):
    return f"{rate / 1e6:.2f}" if rate < 9.995e6 else f"{rate / 1e6:.1f}"


# MARK: tables

def is_beaten(results, pattern, name):
    advantage = results.advantage(pattern, name)
    return results.roles[name] == "peer" and advantage is not None and advantage[1] < 0.995


def lost(results, pattern, name):
    part = results.median(pattern, name, lambda m: m["lost"])
    return f" ({part:.0%} lost)" if part >= 0.005 else ""


def late(results, pattern, name):
    return DAGGER if results.median(pattern, name, lambda m: m["unsent"]) > 0.01 else ""


def p50(results, pattern, name):
    return micros(results.median(pattern, name, lambda m: m["p50"])) + lost(results, pattern, name)


def p50_and_p99(results, pattern, name):
    middle, slow = (micros(results.median(pattern, name, lambda m, key=key: m[key])) for key in ("p50", "p99"))
    return f"{middle} / {slow}" + late(results, pattern, name)


def rate(results, pattern, name):
    return millions(results.median(pattern, name, lambda m: m["messagesASecond"])) + lost(results, pattern, name)


def cpu(results, pattern, name):
    value = results.cpu(pattern, name)
    return "" if value is None else f"{value:,.0f}"


def calls(results, pattern, name):
    value = results.calls.get((pattern, name))
    return "" if value is None else f"{value:.2f}"


TABLES = [
    ("p50 in µs", "round-trip-mixed", [
        ("spinning", "round-trip-spinning-32", p50), ("blocking", "round-trip-mixed", p50), ("parked", "round-trip-parked", p50),
        ("waking", "waking", p50), ("burst of 256", "burst", p50), ("open, write, close", "open", p50)]),
    ("million messages a second", "one-way-32", [
        ("32 B, spinning", "one-way-spinning", rate), ("32 B", "one-way-32", rate), ("424 B", "one-way-424", rate),
        ("2 writers", "writers-2", rate), ("8", "writers-8", rate), ("32", "writers-32", rate),
        ("CPU ns, 32 B", "one-way-32", cpu), ("calls", "one-way-32", calls)]),
    ("p50 / p99 in µs", "paced-100000", [
        ("10,000/s", "paced-10000", p50_and_p99), ("100,000/s", "paced-100000", p50_and_p99), ("1,000,000/s", "paced-1000000", p50_and_p99),
        ("slow reader: a send", "slow-reader", p50_and_p99), ("M/s", "slow-reader", rate)]),
]


def table(results, title, order, columns):
    """Ours first, then the peers, then the references, each from the fastest to the slowest."""
    def place(name):
        role = ["ours", "peer", "reference"].index(results.roles[name])
        return role, results.cost(order, name) if (order, name) in results.cells else float("inf")

    lines = [f"| {title} | " + " | ".join(head for head, _, _ in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in sorted((row["name"] for row in results.rows), key=place):
        cells = []
        for _, pattern, text in columns:
            cell = text(results, pattern, name) if (pattern, name) in results.cells else ""
            beaten = cell and text not in (cpu, calls) and is_beaten(results, pattern, name)
            cells.append(f"**{cell.removesuffix(DAGGER)}**" + (DAGGER if cell.endswith(DAGGER) else "") if beaten else cell)
        if any(cells):
            mark = "*" if results.roles[name] == "reference" else "`"
            lines.append(f"| {mark}{name}{mark} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def fact(results, name):
    return next((fact["value"] for fact in results.sessions[-1]["machine"] if fact["name"] == name), f"{name} unknown")


def processor(results):
    return fact(results, "processor").replace("(R)", "").replace("(TM)", "")


def machine(results):
    session = results.sessions[-1]
    cpus = ", ".join(map(str, session["cpus"]))
    facts = [f"{processor(results)}, {fact(results, 'virtualisation')}, CPUs {cpus}", fact(results, "kernel").split(",")[0],
             fact(results, "governor"), fact(results, "C library"), f"commit {fact(results, 'commit')}",
             f"begun {results.sessions[0]['begun']}"]
    rounds = sum(it["rounds"] for it in results.sessions)
    missing = [row["name"] for row in results.rows if row.get("missing")]
    counted = f"{rounds} round" + ("s" if rounds > 1 else "")
    runs = f"One run, {counted}" if len(results.sessions) == 1 else f"{len(results.sessions)} runs, {counted} in all"
    text = f"{'; '.join(facts)}. {runs}. Medians; **bold**: CMailslots is beaten there."
    return wrapped(text + (f" Not here: {', '.join(missing)}." if missing else ""))


def tables(results):
    blocks = [table(results, *it) for it in TABLES]
    return "\n\n".join([machine(results)] + blocks + ["†: falls behind; a part was not sent in time."])


def losses(results):
    lines = []
    for pattern, info in results.patterns.items():
        names = [name for name in results.names(pattern) if is_beaten(results, pattern, name)]
        if names:
            said = ", ".join(f"`{name}` ({results.advantage(pattern, name)[1]:.2f})" for name in names)
            lines.append(wrapped(f"- {info['title']}: {said}", "  "))
    if not lines:
        return "In this run by nobody, in no pattern."
    return "\n".join(["In this run, with how many times as fast CMailslots is, the median of the ratios round by round:", "", *lines])


# MARK: prose

def needed(results, pattern, name, key):
    if (pattern, name) not in results.cells:
        sys.exit(f"{name} was not measured in {pattern}: what is published is of a whole run.")
    return results.median(pattern, name, key)


def headline(results):
    def rate_of(pattern):
        return f"{needed(results, pattern, 'CMailslots', lambda m: m['messagesASecond']) / 1e6:.0f} million"

    def round_trip(name):
        return needed(results, "round-trip-spinning-32", name, lambda m: m["p50"])

    kind = "virtual " if fact(results, "virtualisation") == "a guest" else ""
    return wrapped(
        f"On two {kind}CPUs ({processor(results)}), where one cache line there and back takes {round_trip('cache-line'):.0f} ns, a round "
        f"trip of 32 bytes takes {round_trip('CMailslots') / 1e3:.2f} µs (median), and one writer sends "
        f"{rate_of('one-way-32')} messages of 32 bytes or {rate_of('one-way-424')} of 424 bytes a second, one a call: see [how that was "
        "measured](Benchmarks/README.md), beside what one would use instead, and where we lose.")


def one_reader(results):
    one, many = (needed(results, pattern, "CMailslots", lambda m: m["messagesASecond"]) for pattern in ("one-way-32", "writers-32"))
    return wrapped(
        f"- One reader takes some {one / 1e6:.0f} million messages of 32 bytes a second from one writer, and {many / 1e6:.0f} million "
        f"from 32, which share a CPU. A message costs the two sides some {results.cpu('one-way-32', 'CMailslots'):.0f} ns of CPU.", "  ")


# MARK: pictures

def median_of(results, pattern, name, key):
    return results.median(pattern, name, lambda m: m[key])


def percentiles_text(results):
    needed(results, PERCENTILES, "CMailslots", lambda m: m["p50"])
    shown = [name for name in results.names(PERCENTILES) if name in IN_PERCENTILES]
    said = ", ".join(f"{name} {' and '.join(micros(median_of(results, PERCENTILES, name, key)) for key in ('p50', 'p99'))}"
                     for name in shown)
    return f"Percentiles of a round trip of 32 bytes, by blocking calls. In microseconds, the median and the slowest hundredth: {said}."


def rates_text(results):
    shown = [name for name in results.names(RATES) if name in IN_PERCENTILES]
    said = ", ".join(f"{name} {millions(median_of(results, RATES, name, 'messagesASecond'))}" for name in shown)
    return f"Messages of 32 bytes a second from one writer to one reader, by blocking calls, of everybody. In millions: {said}."


def draw(results):
    """The files of the pictures, and what is in them."""
    files = {}
    for theme, suffix in (("light", ""), ("dark", "~dark")):
        names = [name for name in results.names(PERCENTILES) if name in IN_PERCENTILES or results.roles[name] == "reference"]
        files[f"round-trip{suffix}.svg"] = draw_percentiles(results, PERCENTILES, names, percentiles_text(results), THEMES[theme])
        files[f"messages-a-second{suffix}.svg"] = draw_rates(results, RATES, rates_text(results), THEMES[theme])
    # No line of ours ends in white space.
    return {name: "".join(line.rstrip() + "\n" for line in text.splitlines()) for name, text in files.items()}


def in_readme(results):
    parts = []
    for name, text in (("round-trip", percentiles_text(results)), ("messages-a-second", rates_text(results))):
        path = f"{CATALOG}/Resources/{name}"
        parts.append(f'<picture>\n<source media="(prefers-color-scheme: dark)" srcset="{path}~dark.svg">\n'
                     + f'<img src="{path}.svg"\n' + wrapped(f'alt="{text}">') + "\n</picture>")
    return "\n\n".join(parts)


def in_article(results):
    # One line each: an alternative text goes on to its bracket.
    return f"![{percentiles_text(results)}](round-trip)\n\n![{rates_text(results)}](messages-a-second)"


# MARK: pages

BLOCKS = {
    "README.md": {"headline": headline, "pictures": in_readme},
    "Benchmarks/README.md": {"tables": tables, "losses": losses},
    f"{CATALOG}/Scale.md": {"one reader": one_reader, "pictures": in_article},
}


def filled(page, path, blocks):
    for name, text in blocks.items():
        begin, end = f"<!-- measured: {name} -->\n", "<!-- end of measured -->"
        parts = re.split(f"({re.escape(begin)}).*?({re.escape(end)})", page, flags=re.DOTALL)
        if len(parts) != 4:
            sys.exit(f"{path} has not exactly one block {begin.strip()}")
        before, begin, end, after = parts
        page = f"{before}{begin}{text}\n{end}{after}" if text else f"{before}{begin}{end}{after}"
    return page


def publish(results, root):
    """All or nothing: what cannot be made, is made before anything is written."""
    pages = {path: filled((root / path).read_text(encoding="utf-8"), path, {name: make(results) for name, make in blocks.items()})
             for path, blocks in BLOCKS.items()}
    pages |= {f"{CATALOG}/Resources/{name}": text for name, text in draw(results).items()}
    for path, text in pages.items():
        (root / path).write_text(text, encoding="utf-8")
        print(path)
