"""The pictures, each an SVG that can stand in a page."""

import html
import io
import math

import matplotlib
from results import short_rate, short_time

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402
from matplotlib.ticker import FuncFormatter  # noqa: E402

# Okabe and Ito's colours, which people who see few colours tell apart. Ours are blues, drawn thick.
OUR_COLOURS = {"CMailslots": "#0072B2", "Mailslots": "#56B4E9", "CMailslotsWin32": "#003F63"}
PEER_COLOURS = ["#E69F00", "#009E73", "#D55E00", "#CC79A7", "#8C6D1F", "#6A4C93", "#4D4D4D", "#B59B00"]
REFERENCE_COLOUR = "#9A9A9A"
LEGEND = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "fontsize": 8.5, "handlelength": 2.8, "borderaxespad": 0}
REFERENCE_DASHES = [(0, (6, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)), (0, (3, 3))]
DASHES = ["-", (0, (4, 1.5)), (0, (1, 1))]
# Of pages that are light or dark. The grounds and the ink are those of the documentation's other pictures.
GROUND, INK = "#ffffff", "#1d1d1f"
THEMES = {
    "light": {"colours": {}, "settings": {"figure.facecolor": GROUND, "axes.facecolor": GROUND}},
    "dark": {
        # Those that are too dark to be seen there.
        "colours": {"#0072B2": "#56B4E9", "#56B4E9": "#A6D8F5", "#003F63": "#2F86BD", "#4D4D4D": "#C9C9CE", "#6A4C93": "#A98BD6",
                    "#8C6D1F": "#C9A44A", "#333333": "#f5f5f7", "white": "#1d1d1f"},
        "settings": {
            "figure.facecolor": INK, "axes.facecolor": INK, "savefig.facecolor": INK, "text.color": "#f5f5f7", "axes.edgecolor": "#8e8e93",
            "axes.labelcolor": "#f5f5f7", "xtick.color": "#f5f5f7", "ytick.color": "#f5f5f7", "grid.color": "#3a3a3c"},
    },
}

pyplot.rcParams.update({
    "svg.fonttype": "path", "svg.hashsalt": "mailslots", "font.family": "DejaVu Sans", "font.size": 9.5, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.7, "axes.axisbelow": True,
    "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left", "legend.frameon": False,
    "figure.constrained_layout.use": True,
})


def everybody(results):
    """Among them a contender looks the same in every picture."""
    return [row["name"] for row in results.rows]


def style(results, name, colours, names):
    """How the line of a contender looks among `names`, in colours that can be seen on the page."""
    look = style_on_white(results, name, names)
    return look | {"color": colours.get(look["color"], look["color"])}


def style_on_white(results, name, names):
    role = results.roles[name]
    number = [row["name"] for row in results.rows if row["role"] == role and row["name"] in names].index(name)
    if role == "ours":
        return {"color": OUR_COLOURS.get(name, "#0072B2"), "linewidth": 2.6, "zorder": 5}
    if role == "reference":
        return {"color": REFERENCE_COLOUR, "linewidth": 1.3, "linestyle": REFERENCE_DASHES[number % len(REFERENCE_DASHES)], "zorder": 2}
    dashes = DASHES[number // len(PEER_COLOURS) % len(DASHES)]
    return {"color": PEER_COLOURS[number % len(PEER_COLOURS)], "linewidth": 1.3, "linestyle": dashes, "zorder": 3}


def thinned(points):
    """Without those that could not be seen beside the one before."""
    kept = points[:1]
    for point in points[1:]:
        if any(abs(math.log(new / old)) > 0.004 for new, old in zip(point, kept[-1])):
            kept.append(point)
    return kept


def svg(figure, what):
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg"):]
    return drawing.replace("<svg ", f'<svg role="img" aria-label="{html.escape(what, quote=True)}" ', 1)


def distributions(results, pattern, names, among, colours):
    """How long the slowest hundredth, thousandth and so on take: time on a log axis, over what part of all is longer."""
    figure, axes = pyplot.subplots(figsize=(9.2, 4.5))
    deepest = 1
    for name in names:
        points, total = results.histogram(pattern, name)
        deepest = max(deepest, total)
        # Who has few samples has no say in what happens once in more.
        points = thinned([(time, rest) for time, rest in points if rest * total >= 1])
        look = style(results, name, colours, among)
        axes.step([1 / rest for _, rest in points], [time for time, _ in points], where="post", label=name, **look)
    axes.set_xscale("log")
    axes.set_yscale("log")
    decades = [ten for ten in (2, 10, 100, 1e3, 1e4, 1e5, 1e6) if ten <= deepest]
    labels = {2: "50 %", 10: "90 %", 100: "99 %", 1e3: "99.9 %", 1e4: "99.99 %", 1e5: "99.999 %", 1e6: "99.9999 %"}
    axes.set_xticks(decades, [labels[ten] for ten in decades])
    axes.minorticks_off()
    axes.set_xlim(1, decades[-1] * 1.5)
    axes.yaxis.set_major_formatter(FuncFormatter(short_time))
    axes.set_xlabel("percentile")
    axes.set_ylabel("time (log)")
    axes.legend(**LEGEND)
    return figure


def draw_distributions(results, pattern):
    figure = distributions(results, pattern, results.names(pattern), everybody(results), {})
    return svg(figure, f"Latency distribution: {results.patterns[pattern]['title']}")


def bars(results, names, value, text, label, ascending, colours):
    names = [name for name in names if value(name) is not None]
    names.sort(key=lambda name: value(name)[1], reverse=ascending)
    figure, axes = pyplot.subplots(figsize=(9.2, 0.27 * len(names) + 0.95))
    for place, name in enumerate(names):
        least, middle, greatest = value(name)
        role = results.roles[name]
        colour = OUR_COLOURS.get(name, "#B8B8B8" if role == "peer" else "white")
        colour = colours.get(colour, colour)
        axes.barh(place, middle, color=colour, edgecolor="#8a8a8a" if role == "reference" else colour,
                  hatch="////" if role == "reference" else None, height=0.72, linewidth=0.8)
        axes.plot([least, greatest], [place, place], color=colours.get("#333333", "#333333"), linewidth=1.1)
        axes.annotate(text(middle), (greatest, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5)
    axes.set_yticks(range(len(names)), names)
    for tick, name in zip(axes.get_yticklabels(), names):
        tick.set_fontweight("bold" if results.roles[name] == "ours" else "normal")
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xscale("log")
    values = [value(name) for name in names]
    low, high = min(v[0] for v in values), max(v[2] for v in values)
    axes.set_xlim(low / 2 if low > 0 else None, high * (high / low) ** 0.12 * 1.3)
    axes.xaxis.set_major_formatter(FuncFormatter(text))
    axes.set_xlabel(label)
    return figure


def draw_bars(results, pattern, value, text, label, ascending):
    figure = bars(results, results.names(pattern), value, text, label, ascending, {})
    return svg(figure, f"{label}: {results.patterns[pattern]['title']}")


def draw_series(results, patterns, places, label, place_label, value, text):
    """One line a contender, over several patterns."""
    names = []
    for pattern in patterns:
        names += [name for name in results.names(pattern) if name not in names]
    figure, axes = pyplot.subplots(figsize=(9.2, 4.5))
    ends = {}
    for name in names:
        points = [(place, value(pattern, name)) for pattern, place in zip(patterns, places) if (pattern, name) in results.cells]
        if len(points) < 2:
            continue
        look = style(results, name, {}, everybody(results))
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", markersize=4, label=name, **look)
        ends[name] = points[-1][1]
    axes.set_yscale("log")
    axes.set_xticks(places, [place_label(place) for place in places])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(FuncFormatter(text))
    axes.set_ylabel(label)
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: -ends[labels[i]])
    axes.legend([handles[i] for i in order], [labels[i] for i in order], **LEGEND)
    return figure


# MARK: pictures of their own, for pages that are light or dark

def draw_percentiles(results, pattern, names, what, theme):
    with pyplot.rc_context(theme["settings"]):
        figure = distributions(results, pattern, names, names, theme["colours"])
        figure.axes[0].set_title(results.patterns[pattern]["title"])
        return svg(figure, what)


def draw_rates(results, pattern, what, theme):
    with pyplot.rc_context(theme["settings"]):
        figure = bars(
            results, results.names(pattern), lambda name: results.spread(pattern, name, lambda m: m["messagesASecond"]), short_rate,
            "messages a second (log)", ascending=True, colours=theme["colours"])
        figure.axes[0].set_title(results.patterns[pattern]["title"])
        return svg(figure, what)
