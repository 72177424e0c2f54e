#!/usr/bin/env python3
"""Draws report.html, with all pictures in it, from the results.json of a folder that `mailslots-bench peers` has written.

    python3 Benchmarks/Report FOLDER
    python3 Benchmarks/Report FOLDER --publish       the documentation's tables, figures and pictures instead, from this run

With --publish a folder may follow that has the package; without it is this one.
"""

import sys

try:
    import matplotlib  # noqa: F401
except ImportError:
    sys.exit("No report.html: it is drawn with matplotlib, which is not here. apt-get install python3-matplotlib; "
             "then mailslots-bench report FOLDER. The tables and the data are complete without it.")

import html
import json
import os
import pathlib
import tempfile

from pictures import draw_bars, draw_distributions, draw_series, svg
from publish import publish
from results import Results, short_rate, short_time

STYLE = """
body { font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #1d1d1f; background: #fff; margin: 2.5em auto; max-width: 1080px;
  padding: 0 1.5em; }
h1 { font-size: 1.7em; margin-bottom: .2em; } h2 { font-size: 1.25em; margin-top: 2.6em; border-bottom: 1px solid #ddd; }
h3 { font-size: 1.02em; margin: 1.8em 0 .2em; } p.timed { color: #555; margin: .1em 0 .6em; font-size: .92em; }
svg { width: 100%; height: auto; max-width: 920px; } code { background: #f4f4f6; padding: .1em .3em; font-size: .9em; }
table { border-collapse: collapse; font-size: .86em; margin: .8em 0; } th { text-align: right; font-weight: 600; color: #444; }
td, th { padding: .18em .7em; border-bottom: 1px solid #eee; text-align: right; white-space: nowrap; }
td:first-child, th:first-child, table.facts td, table.facts th { text-align: left; } table.facts td { white-space: normal; }
tr.ours td:first-child { font-weight: 700; color: #0072B2; } tr.ours { background: #eef6fc; }
tr.reference td { color: #777; font-style: italic; }
.beaten { color: #a33b00; font-weight: 600; } details { margin: .5em 0; } summary { cursor: pointer; color: #0b5a8a; }
nav a { margin-right: 1.1em; } .note { color: #555; font-size: .9em; }
"""


def escaped(text):
    return html.escape(str(text))


def table(results, pattern):
    charged = "CPU" if results.patterns[pattern]["charged"] == "all" else "reader's CPU"
    rows = [f"<table><tr><th></th><th>p50</th><th>least to greatest</th><th>p99</th><th>p99.9</th><th>messages/s</th><th>{charged}</th>"
            "<th>calls</th><th>CMailslots is</th></tr>"]
    for name in results.names(pattern):
        cells = results.cells[pattern, name]
        least, middle, greatest = results.spread(pattern, name, lambda m: m["p50"])
        rate = short_rate(results.median(pattern, name, lambda m: m["messagesASecond"])) if "messagesASecond" in cells[0] else ""
        cpu, calls, advantage = results.cpu(pattern, name), results.calls.get((pattern, name)), results.advantage(pattern, name)
        verdict = ""
        if advantage:
            beaten = results.roles[name] == "peer" and advantage[1] < 0.995
            verdict = f"{advantage[1]:.2f} × as fast ({advantage[0]:.2f} to {advantage[2]:.2f})"
            verdict = f'<span class="beaten">{verdict}, beaten</span>' if beaten else verdict
        lost = results.median(pattern, name, lambda m: m["lost"])
        unsent = results.median(pattern, name, lambda m: m["unsent"])
        verdict += f"; {lost:.1%} lost" if lost > 0 else ""
        verdict += f"; falls behind, {unsent:.0%} not sent in time" if unsent > 0.01 else ""
        rows.append(
            f'<tr class="{results.roles[name]}"><td>{escaped(name)}</td><td>{short_time(middle)}</td>'
            f"<td>{short_time(least)} to {short_time(greatest)}</td>"
            f"<td>{short_time(results.median(pattern, name, lambda m: m['p99']))}</td>"
            f"<td>{short_time(results.median(pattern, name, lambda m: m['p999']))}</td><td>{rate}</td>"
            f"<td>{'' if cpu is None else short_time(cpu)}</td><td>{'' if calls is None else f'{calls:.2f}'}</td><td>{verdict}</td></tr>")
    rows.append("</table>")
    peers = {name for name, role in results.roles.items() if role != "reference"}
    reasons = {}
    for absence in results.absences:
        if absence["pattern"] == pattern and (absence["contender"] in peers or absence["failed"]):
            reasons.setdefault(absence["why"], []).append(absence["contender"])
    for why, names in reasons.items():
        rows.append(f'<p class="note">Not measured: {escaped(", ".join(names))}: {escaped(why)}</p>')
    return "".join(rows)


def folded_table(results, pattern, title):
    return f'<details id="{pattern}-table"><summary>{escaped(title)}</summary>{table(results, pattern)}</details>'


def section(results, pattern, picture):
    info = results.patterns[pattern]
    return (f'<h3 id="{pattern}">{escaped(info["title"])}</h3><p class="timed">Timed: {escaped(info["timed"])}.</p>{picture}'
            f'{folded_table(results, pattern, "Table")}')


def latency_sections(results, patterns):
    return "".join(section(results, pattern, draw_distributions(results, pattern)) for pattern in patterns if pattern in results.patterns)


def rates(results, pattern):
    return lambda name: results.spread(pattern, name, lambda m: m["messagesASecond"])


def throughput(results):
    parts = []
    for pattern in ("one-way-spinning", "one-way-32", "one-way-424"):
        if pattern in results.patterns:
            parts.append(section(results, pattern, draw_bars(
                results, pattern, rates(results, pattern), short_rate, "messages a second (log)", ascending=True)))
    return "".join(parts)


def series(results, prefix, sizes, title, text, axis_label, value, formatter, place_label):
    found = [(f"{prefix}{size}", size) for size in sizes if f"{prefix}{size}" in results.patterns]
    if len(found) < 2:
        return ""
    patterns, places = [p for p, _ in found], [s for _, s in found]
    figure = draw_series(
        results, patterns, list(range(len(places))), axis_label, lambda place: place_label(places[place]), value, formatter)
    tables = "".join(folded_table(results, pattern, f"Table: {results.patterns[pattern]['title']}") for pattern in patterns)
    return f"<h3>{escaped(title)}</h3><p class=timed>{escaped(text)}</p>{svg(figure, title)}{tables}"


def by_writers(results):
    # One writer is one-way-32.
    patterns = dict(results.patterns)
    if "one-way-32" in patterns:
        results.patterns["writers-1"] = patterns["one-way-32"]
        for (pattern, name), cells in list(results.cells.items()):
            if pattern == "one-way-32":
                results.cells["writers-1", name] = cells
    drawn = series(
        results, "writers-", (1, 2, 4, 8, 32), "Throughput by the number of writers",
        "One way, 32 B, blocking calls. The reader has a CPU for itself; the writers share the others, so with two CPUs they share one.",
        "messages a second (log)", lambda p, n: results.median(p, n, lambda m: m["messagesASecond"]), short_rate,
        lambda n: f"{n} writer" + ("s" if n > 1 else ""))
    results.patterns.pop("writers-1", None)
    return drawn


def by_size(results):
    return series(
        results, "one-way-", (0, 8, 32, 128, 424), "Throughput by message size", "One way, one writer, blocking calls.",
        "messages a second (log)", lambda p, n: results.median(p, n, lambda m: m["messagesASecond"]), short_rate, lambda n: f"{n} B"
    ) + series(
        results, "round-trip-spinning-", (0, 8, 32, 128, 424), "Round trip by message size", "Both sides poll; p50.",
        "round trip, p50 (log)", lambda p, n: results.median(p, n, lambda m: m["p50"]), short_time, lambda n: f"{n} B")


def paced(results):
    drawn = latency_sections(results, [p for p, info in results.patterns.items() if info["kind"] == "paced"])
    return drawn and ("<p>Messages are due at fixed times, so many a second. Each is timed from when it was <i>due</i>: what waited "
                      f"because the one before was late, has waited.</p>{drawn}")


def cpu_bars(results):
    parts = []
    for pattern in ("round-trip-mixed", "one-way-32", "slow-reader", "paced-10000", "paced-100000"):
        if pattern not in results.patterns:
            continue

        def value(name, pattern=pattern):
            cpu = results.cpu(pattern, name)
            return None if cpu is None else (cpu, cpu, cpu)

        whose = "writers and reader" if results.patterns[pattern]["charged"] == "all" else "reader only"
        parts.append(f"<h3>{escaped(results.patterns[pattern]['title'])}</h3>" + draw_bars(
            results, pattern, value, short_time, f"CPU time a message, user and system, {whose} (log)", ascending=False))
    return "".join(parts)


def losses(results):
    items = []
    for pattern, info in results.patterns.items():
        beaten = [(name, results.advantage(pattern, name)) for name in results.names(pattern) if results.roles[name] == "peer"]
        beaten = [f"{escaped(name)} ({advantage[1]:.2f})" for name, advantage in beaten if advantage and advantage[1] < 0.995]
        if beaten:
            items.append(f'<li><a href="#{pattern}-table">{escaped(info["title"])}</a>: {", ".join(beaten)}</li>')
    if not items:
        return "<p>CMailslots is the fastest in every pattern that was measured.</p>"
    return ("<p>Here a peer is faster than <b>CMailslots</b>. In parentheses how many times as fast CMailslots is: the median of the "
            f"ratios round by round.</p><ul>{''.join(items)}</ul>")


def facts(results):
    last = results.sessions[-1]
    rows = [("begun, ended", f"{results.sessions[0]['begun']}; {last['ended']}"), ("CPUs used", ", ".join(map(str, last["cpus"])))]
    rows += [(fact["name"], fact["value"]) for fact in last["machine"]]
    for session in results.sessions:
        load = f"load before {session['loadBefore']}, after {session['loadAfter']}"
        rows.append((f"run {session['number'] + 1}", f"{session['begun']}; {session['rounds']} rounds; {load}; {command(session)}"))
    return '<table class="facts">' + "".join(f"<tr><th>{escaped(a)}</th><td>{escaped(b)}</td></tr>" for a, b in rows) + "</table>"


def contenders(results):
    rows = []
    for row in results.rows:
        state = f"not here: {row['missing']}" if row.get("missing") else row["settings"]
        cells = [row["name"], row.get("version") or "", state]
        rows.append(f'<tr class="{row["role"]}">' + "".join(f"<td>{escaped(cell)}</td>" for cell in cells) + "</tr>")
    return f'<table class="facts">{"".join(rows)}</table>'


def command(session):
    program, _, arguments = session["command"].partition(" ")
    return f"{os.path.basename(program)} {arguments}"


def page(results):
    last = results.sessions[-1]
    model = next((fact["value"] for fact in last["machine"] if fact["name"] == "processor"), "processor unknown")
    kernel = next((fact["value"].split(",")[0] for fact in last["machine"] if fact["name"] == "kernel"), "")
    quick = " This was a quick run: short measurements, few rounds." if last["quick"] else ""
    chapters = [
        ("losses", "Where we lose", losses(results)),
        ("latency", "Latency", latency_sections(
            results, ["round-trip-spinning-32", "round-trip-mixed", "round-trip-parked", "waking", "burst", "open"])),
        ("paced", "Latency under a paced load", paced(results)),
        ("throughput", "Throughput", throughput(results) + by_writers(results) + by_size(results)),
        ("slow", "A slow reader", latency_sections(results, ["slow-reader"])),
        ("cpu", "CPU time per message", cpu_bars(results)),
        ("contenders", "The contenders, and how each is set", contenders(results)),
        ("machine", "The machine", facts(results)),
    ]
    chapters = [(key, title, body) for key, title, body in chapters if body]
    links = "".join(f'<a href="#{key}">{escaped(title)}</a>' for key, title, _ in chapters)
    body = "".join(f'<h2 id="{key}">{escaped(title)}</h2>{text}' for key, title, text in chapters)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mailslots side by side</title><style>{STYLE}</style></head><body>
<h1>Mailslots side by side</h1>
<p>{escaped(last["begun"])}, {escaped(model)}, {escaped(kernel)}; <code>{escaped(command(last))}</code>.{quick}
Ours are <b style="color:#0072B2">blue</b>; hatched or dashed grey: references, which nobody can beat and nobody would use.</p>
<nav>{links}</nav>{body}
<p class="note">Separate processes, each on a CPU of its own; every contender in every round, one after the other; all samples kept.
Medians of the rounds, and the least and the greatest of them. Benchmarks/README.md says how, and what these figures do not show.</p>
</body></html>
"""


def main():
    publishing = sys.argv[2:3] == ["--publish"]
    if len(sys.argv) not in ((3, 4) if publishing else (2,)):
        sys.exit("usage: python3 Benchmarks/Report FOLDER [--publish [PACKAGE]]")
    folder = pathlib.Path(sys.argv[1])
    with open(folder / "results.json", encoding="utf-8") as file:
        results = Results(json.load(file))
    if not results.cells:
        sys.exit("Nothing was measured.")
    if publishing:
        publish(results, pathlib.Path(sys.argv[3]) if len(sys.argv) == 4 else pathlib.Path(__file__).resolve().parents[2])
        return
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".html", delete=False, encoding="utf-8") as file:
        file.write(page(results))
    os.chmod(file.name, 0o644)
    os.replace(file.name, folder / "report.html")


main()
