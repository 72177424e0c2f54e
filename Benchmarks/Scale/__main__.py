#!/usr/bin/env python3
"""What a domain of 10 to 10,000 hosts costs each of them: announcements, broadcasts, memory, keys.

    python3 Benchmarks/Scale [--hosts 10 100 1000 10000] [--seed 1] [--results FOLDER]

Announcements are simulated event by event, from the seed: who starts when, who announces or answers when, what one host's receive buffer
and CPU make of what arrives. The rest is multiplied. What a datagram costs comes from COSTS, or from the results.json that `mailslots-bench
bridge --output FOLDER` has written.
"""

import argparse
import json
import pathlib

from announcements import EACH_DELAYED, RULES, simulate
from costs import COSTS, announcement_bytes, wire_bytes

BROADCAST_BYTES = 1472


def table(title, columns, rows, note=""):
    """As Markdown, for it goes into the article."""
    print(f"\n{title}\n")
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    if note:
        print(f"\n{note}")


def number(value):
    if value == 0:
        return "0"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def size(count):
    for unit, limit in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= limit:
            return f"{count / limit:.3g} {unit}"
    return f"{count:.0f} B"


def share(seconds):
    return f"{100 * seconds:.2g} %"


def steady(hosts, costs):
    rows = []
    for count in hosts:
        sent, received = 1 / costs.announce_every_s, (count - 1) / costs.announce_every_s
        cpu = received * costs.receive_short_s + sent * costs.send_short_s
        # Without multicast each announcement goes to each peer by itself.
        peers = received + sent * (count - 1)
        peers_cpu = received * costs.receive_short_s + sent * (costs.seal_s + (count - 1) * costs.send_one_s)
        rows.append([f"{count:,}", number(received), size(received * wire_bytes(announcement_bytes(costs))) + "/s", share(cpu),
                     number(peers), share(peers_cpu)])
    table("Announcements of a domain at rest, a host",
          ["hosts", "multicast: datagrams received a second", "bytes on its link", "of a CPU",
           "peers: datagrams sent and received a second", "of a CPU"], rows)


def starting(hosts, costs, seed, newcomers, title):
    rows = []
    for count in hosts:
        # Where each answer is drawn anew there are too many events.
        for rule in (rule for rule in RULES if rule != EACH_DELAYED or count <= 1000):
            found = simulate(count, newcomers(count), rule, costs, seed)
            rows.append([f"{count:,}", rule, f"{found.sent:,}", f"{found.received_worst_second:,}", share(found.cpu_worst_second),
                         size(found.queue_bytes_max), f"{100 * found.lost:.2g} %", f"{found.known_after_s:.2f} s"])
    table(title, ["hosts", "answers", "datagrams sent, by all", "received by one host in its worst second", "of a CPU then",
                  "receive buffer that suffices", f"lost with {size(costs.buffer_bytes)}", "every host knows every other after"], rows)


def broadcasts(hosts, costs):
    rows = []
    for count in hosts:
        others = count - 1
        receive = costs.receive_long_s + costs.messages_in_long * costs.deliver_s
        multicast = costs.seal_s + costs.send_one_s + costs.messages_in_long * costs.take_s
        peers = costs.seal_s + others * costs.send_one_s + costs.messages_in_long * costs.take_s
        rows.append([f"{count:,}", number(multicast * 1e6), number(peers * 1e6), size(others * wire_bytes(BROADCAST_BYTES)),
                     number(costs.messages_in_long / peers), number(costs.messages_in_long / (others * receive))])
    table("A broadcast of a full datagram, three messages of 424 bytes",
          ["hosts", "multicast: µs of the sender's CPU", "peers: µs", "peers: bytes on the sender's link",
           "peers: messages a second, at most",
           "messages a second that every host may broadcast until receiving takes a whole CPU"], rows)


def memory(hosts, costs):
    rows = []
    for count in hosts:
        sessions = min(count - 1, costs.sessions_max)
        # A session is kept until its last datagram has been out of the clock bound for as long again.
        spare = (costs.sessions_max - (count - 1)) * 60 / (2 * costs.clock_bound_s)
        rows.append([f"{count:,}", f"{sessions:,}", size(sessions * costs.session_bytes + count * costs.host_bytes),
                     f"{1e3 * sessions * costs.derive_s:.2g} ms", number(spare) if spare > 0 else f"over {costs.sessions_max:,} sessions"])
    table("Memory and keys of one host", ["hosts", "sessions", "memory", "CPU to derive each session's key once",
                                          "restarts a minute, of all hosts, that are remembered"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, nargs="+", default=[10, 100, 1000, 10000])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=pathlib.Path, help="a folder of mailslots-bench bridge, for what a datagram costs")
    options = parser.parse_args()
    costs = COSTS
    if options.results:
        costs = costs.measured(json.loads((options.results / "results.json").read_text()))
    print(f"seed {options.seed}; {costs}")
    steady(options.hosts, costs)
    starting(options.hosts, costs, options.seed, lambda count: count, "All hosts start within one second")
    starting(options.hosts, costs, options.seed, lambda count: 1, "One host starts beside all others")
    broadcasts(options.hosts, costs)
    memory(options.hosts, costs)


main()
