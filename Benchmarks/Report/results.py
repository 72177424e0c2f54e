"""What results.json says, and the figures that follow from it."""

import statistics
import sys

OURS = "CMailslots"


class Results:
    def __init__(self, data):
        if data.get("format") != 1:
            sys.exit("results.json is not of the format that is known here.")
        self.sessions, self.rows, self.patterns = data["sessions"], data["contenders"], {p["id"]: p for p in data["patterns"]}
        self.absences = data["absences"]
        self.calls = {(c["pattern"], c["contender"]): c["perMessage"] for c in data["calls"]}
        self.cells = {}
        for measurement in data["measurements"]:
            self.cells.setdefault((measurement["pattern"], measurement["contender"]), []).append(measurement)
        self.roles = {row["name"]: row["role"] for row in self.rows}

    def names(self, pattern):
        """Who was measured, from the fastest to the slowest."""
        present = [row["name"] for row in self.rows if (pattern, row["name"]) in self.cells]
        return sorted(present, key=lambda name: self.cost(pattern, name))

    def cost_of(self, pattern, measurement):
        return measurement["p50"] if self.patterns[pattern]["figure"] == "latency" else 1e9 / measurement["messagesASecond"]

    def median(self, pattern, name, key):
        return statistics.median(key(m) for m in self.cells[pattern, name])

    def cost(self, pattern, name):
        return self.median(pattern, name, lambda m: self.cost_of(pattern, m))

    def spread(self, pattern, name, key):
        values = [key(m) for m in self.cells[pattern, name]]
        return min(values), statistics.median(values), max(values)

    def cpu(self, pattern, name):
        charged = slice(None) if self.patterns[pattern]["charged"] == "all" else slice(1, None)
        values = [sum(m["cpu"][charged]) for m in self.cells[pattern, name] if m.get("cpu")]
        return statistics.median(values) if values else None

    def advantage(self, pattern, name):
        """How many times as fast ours is, round by round: the least, the median, the greatest."""
        ours = {m["round"]: self.cost_of(pattern, m) for m in self.cells.get((pattern, OURS), [])}
        ratios = [self.cost_of(pattern, m) / ours[m["round"]] for m in self.cells[pattern, name] if m["round"] in ours]
        return (min(ratios), statistics.median(ratios), max(ratios)) if ratios and name != OURS else None

    def histogram(self, pattern, name):
        """All rounds together: times in order, and the part of all samples that is longer than each."""
        counts = {}
        for measurement in self.cells[pattern, name]:
            for time, count in measurement["points"]:
                counts[time] = counts.get(time, 0) + count
        total, seen, points = sum(counts.values()), 0, []
        for time in sorted(counts):
            points.append((time, 1 - seen / total))
            seen += counts[time]
        return points, total


def short_time(nanoseconds, _=None):
    for limit, unit, scale in ((1e3, "ns", 1), (1e6, "µs", 1e3), (1e9, "ms", 1e6)):
        if nanoseconds < limit * 0.9995:
            return f"{nanoseconds / scale:.3g} {unit}"
    return f"{nanoseconds / 1e9:.3g} s"


def short_rate(rate, _=None):
    return f"{rate / 1e6:.3g} M" if rate >= 1e6 else f"{rate / 1e3:.3g} k" if rate >= 1e3 else f"{rate:.3g}"
