"""Whole bridges, each a process: what must hold whatever the network and other machines do. See README.md."""
import argparse
import os
import random
import signal
import socket
import sys
import threading
import time
import traceback

import namespaces
from machines import Failure, World, eventually, expect, expect_whole, received, settled
from relay import Relay

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class Skip(Exception):
    pass


class Context:
    """What a check is told."""

    def __init__(self, world, seed, seconds):
        self.world = world
        self.random = random.Random(seed)
        self.seed = seed
        #: How long what has no natural end goes on.
        self.seconds = seconds


# MARK: pairs on loopback


def pair(context, key=7, **settings):
    """Two bridges on loopback, that have each other as peers."""
    a = context.world.machine("a", addresses=["127.0.0.1"], port=0, groups=[], key=key, **settings)
    b = context.world.machine("b", addresses=["127.0.0.1"], port=0, groups=[], key=key, **settings)
    a.start()
    b.start(peers=[a.address])
    return a, b


def relayed(context, **troubles):
    """Two bridges that know each other only through a relay."""
    relay = Relay(None, None, context.seed, **troubles).start()
    context.world.at_end.append(relay.stop)
    machines = []
    for side, host in enumerate("ab"):
        machine = context.world.machine(
            host, addresses=["127.0.0.1"], port=0, groups=[], key=7, announceMilliseconds=200, peers=["127.0.0.1:%d" % relay.port(side)])
        machine.start()
        relay.aim(side, ("127.0.0.1", machine.port))
        machines.append(machine)
    return machines + [relay]


def remote(host, name):
    return "\\\\%s\\mailslot\\%s" % (host, name)


def counters(machine):
    return machine.bridge.ask()


@check
def what_is_sent_arrives_once_and_in_order(context):
    a, b = pair(context)
    reader = b.read(["x", "y"])
    writer = a.write(1, [remote("b", "x"), remote("b", "y")], byte_count=424, interval=50, count=20000)
    written = writer.answer()
    expect(written["written"] > 100, "the writer: %s" % written)

    def unaccounted():
        seen = counters(b)
        return written["written"] - reader.ask()["received"] - seen["dropped_full"]

    def lost_datagrams():
        return counters(a)["transport.datagrams.sent"] - counters(b)["transport.datagrams.received"]

    eventually(
        lambda: "all are accounted for: %s; %s; %s; %s" % (written, reader.ask(), counters(a), counters(b)),
        lambda: unaccounted() == 0 or unaccounted() <= 46 * lost_datagrams())
    report = settled(reader)
    expect_whole(report, "b", in_order=True)
    expect(report["remote"] == report["received"], "some had no origin")


@check
def a_lossy_network_never_doubles_tears_or_mixes(context):
    a, b, relay = relayed(context, loss=0.1, duplication=0.1, reordering=0.2)
    readers = [machine.read(["x", "y", "z"]) for machine in (a, b)]
    writers = []
    for machine, other, sizes in ((a, "b", ((1, 32), (2, 424), (3, 100))), (b, "a", ((11, 32), (12, 424), (13, 100)))):
        for number, size in sizes:
            writers.append(machine.write(number, [remote(other, name) for name in "xyz"] + [remote("studio", "x")], size, interval=500))
    time.sleep(context.seconds)
    for writer in writers:
        writer.ask("count 0")
    for machine, reader in ((a, readers[0]), (b, readers[1])):
        report = settled(reader)
        expect_whole(report, machine.host)
        expect(report["received"] > 100, "only %d came" % report["received"])
    expect(relay.lost > 0 and relay.repeated > 0 and relay.delayed > 0, "the relay did no harm")
    for machine in (a, b):
        seen = counters(machine)
        expect(seen["datagrams_refused_seen"] > 0, "no duplicate was counted: %s" % seen)


@check
def captured_datagrams_do_nothing_when_they_come_again(context):
    a, b, relay = relayed(context)
    relay.keeps = True
    reader = b.read(["x"])
    writer = a.write(1, [remote("b", "x"), remote("*", "x")], interval=300, count=500)
    eventually(lambda: "all have come: %s" % reader.ask(), lambda: received(reader.ask(), "x", 1)[0] >= 500)
    before = settled(reader)
    kept = relay.take_kept()
    expect(len(kept) > 3, "nothing was captured")
    relay.keeps = False
    for _ in range(3):
        for side, data in kept:
            relay.send(1 - side, data)
            relay.send(side, data)  # also back to whom it came from
    seen = eventually(
        lambda: "they are refused: %s" % counters(b), lambda: (lambda it: it["datagrams_refused_seen"] >= len(kept) and it)(counters(b)))
    after = settled(reader)
    expect(after["received"] == before["received"], "%d came by replay" % (after["received"] - before["received"]))

    # A bridge that was killed forgot what it had seen; it does not take what is older than itself.
    b.bridge.kill()
    b.start(port=b.port)
    for side, data in kept:
        relay.send(1, data)
    eventually(lambda: "they are refused: %s" % counters(b), lambda: counters(b)["datagrams_refused_before_start"] >= 3)
    after = settled(reader)
    expect_whole(after, "b")
    expect(after["received"] == before["received"], "%d came by replay after a restart" % (after["received"] - before["received"]))
    writer.end()


@check
def garbage_at_full_rate_stops_nobody_and_fills_nothing(context):
    a, b = pair(context)
    reader = b.read(["x"])
    writer = a.write(1, [remote("b", "x")], interval=1000)
    eventually("the first come", lambda: reader.ask()["received"] > 10)
    memory = b.bridge.memory()
    address = ("127.0.0.1", b.port)
    is_over = threading.Event()
    sent = [0]

    def make_garbage():
        generator = random.Random(context.seed)
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # Bytes of chance, and ones that begin as ours do: with our key's id it would need the key, so any id.
        shapes = [generator.randbytes(size) for size in (0, 1, 63, 64, 500, 1472, 2000)]
        shapes += [b"MS\x01\x00" + generator.randbytes(size) for size in (60, 400, 1468)]
        while not is_over.is_set():
            for shape in shapes:
                end.sendto(shape, address)
                sent[0] += 1

    thread = threading.Thread(target=make_garbage)
    thread.start()
    try:
        before = reader.ask()["received"]
        time.sleep(min(context.seconds, 10))
        during = reader.ask()["received"]
    finally:
        is_over.set()
        thread.join()
    expect(during > before, "nothing came while there was garbage")
    report = settled_after(writer, reader)
    expect_whole(report, "b")
    seen = counters(b)
    refused = sum(value for name, value in seen.items() if name.startswith("datagrams_refused_"))
    refused += seen["transport.drops.receive.truncated"]
    expect(refused > 1000, "only %d of %d were refused: %s" % (refused, sent[0], seen))
    grown = b.bridge.memory() - memory
    expect(grown < 16 << 20, "it grew by %d bytes" % grown)


def settled_after(writer, reader):
    writer.ask("count 0")
    return settled(reader)


@check
def who_has_another_key_is_not_heard(context):
    a, b = pair(context)
    stranger = context.world.machine("stranger", addresses=["127.0.0.1"], port=0, groups=[], key=9, peers=[a.address, b.address]).start()
    open_one = context.world.machine("open", addresses=["127.0.0.1"], port=0, groups=[], peers=[a.address, b.address]).start()
    reader = b.read(["x"])
    for number, machine in ((1, stranger), (2, open_one)):
        machine.write(number, [remote("*", "x")], interval=1000, count=100)
    a.write(3, [remote("*", "x")], interval=1000, count=100)
    eventually("those of the friend come", lambda: received(reader.ask(), "x", 3)[0] == 100)
    eventually(lambda: "the others are refused: %s" % counters(b), lambda: counters(b)["datagrams_refused_unknown_key"] >= 2)
    report = settled(reader)
    expect(report["received"] == 100, "%d came of others" % (report["received"] - 100))
    # The others do not hear us either.
    expect(counters(stranger)["datagrams_accepted"] == 0, "the stranger accepted something")


@check
def a_clock_that_is_an_hour_wrong_is_not_heard(context):
    a, b = pair(context)
    late = context.world.machine(
        "late", addresses=["127.0.0.1"], port=0, groups=[], key=7, peers=[a.address, b.address], clockOffsetSeconds=-3600).start()
    early = context.world.machine(
        "early", addresses=["127.0.0.1"], port=0, groups=[], key=7, peers=[a.address, b.address], clockOffsetSeconds=3600).start()
    near = context.world.machine(
        "near", addresses=["127.0.0.1"], port=0, groups=[], key=7, peers=[a.address, b.address], clockOffsetSeconds=5).start()
    reader = b.read(["x"])
    for number, machine in ((1, late), (2, early), (3, near)):
        machine.write(number, [remote("*", "x")], interval=1000, count=100)
    eventually("those of the one whose clock is near come", lambda: received(reader.ask(), "x", 3)[0] == 100)
    eventually(lambda: "the others are refused: %s" % counters(b), lambda: counters(b)["datagrams_refused_bad_time"] >= 2)
    expect(settled(reader)["received"] == 100, "something came of wrong clocks")


@check
def a_full_mailslot_is_counted_and_holds_up_no_other(context):
    a, b = pair(context)
    full = b.read(["full"], capacity=64)
    other = b.read(["other"])
    full.tell("pause")
    writer = a.write(1, [remote("b", "full"), remote("b", "other")], interval=200, count=2000)
    eventually(lambda: "the other gets all: %s" % other.ask(), lambda: other.ask()["received"] == 2000)
    seen = eventually(
        lambda: "the drops are counted: %s" % counters(b), lambda: (lambda it: it["dropped_full"] >= 2000 - 64 and it)(counters(b)))
    full.tell("resume")
    report = settled(full)
    expect_whole(report, "full", in_order=True)
    expect(report["received"] + seen["dropped_full"] == 2000, "%d came, %d were counted" % (report["received"], seen["dropped_full"]))
    written = writer.ask()
    expect(written["full"] == 0 and written["longest_us"] < 5000000, "the writer was held up: %s" % written)


@check
def bridges_may_be_killed_stopped_and_started_at_any_time(context):
    a, b, relay = relayed(context)
    readers = {"a": a.read(["x"]), "b": b.read(["x"])}
    writers = {"a": a.write(1, [remote("b", "x"), remote("*", "x")], interval=200), "b": b.write(2, [remote("a", "x")], interval=200)}
    end = time.monotonic() + context.seconds
    kills = stops = ends = 0
    while time.monotonic() < end:
        machine = context.random.choice((a, b))
        time.sleep(context.random.uniform(0.02, 0.4))
        what = context.random.random()
        if what < 0.4:
            machine.bridge.kill()
            kills += 1
        elif what < 0.7:
            machine.bridge.signal(signal.SIGSTOP)
            time.sleep(context.random.uniform(0, 0.5))
            machine.bridge.signal(signal.SIGCONT)
            stops += 1
            continue
        else:
            machine.bridge.end()
            ends += 1
        time.sleep(context.random.uniform(0, 0.2))
        machine.start(port=machine.port)
    print("  %d kills, %d stops, %d ends" % (kills, stops, ends))
    # All goes on as if nothing had been.
    for host, other, number in (("b", "a", 1), ("a", "b", 2)):
        before = received(readers[host].ask(), "x", number)[1]
        eventually(
            lambda: "messages arrive again at %s: %s; %s" % (host, readers[host].ask(), writers[other].ask()),
            lambda: received(readers[host].ask(), "x", number)[1] > before + 100)
    for host in "ab":
        written = writers[host].ask()
        expect(written["longest_us"] < 5000000, "a local writer was held up: %s" % written)
        writers[host].ask("count 0")
    for host in "ab":
        report = settled(readers[host])
        expect_whole(report, host)


@check
def keys_may_change_while_messages_flow(context):
    a, b = pair(context)
    reader = b.read(["x", "y"])
    writer = a.write(1, [remote("b", "x"), remote("*", "y")], interval=500)
    old, new = 7, 8
    for _ in range(5):
        before = reader.ask()["received"]
        # As the manual says: all accept the new one; then all use it; then the old one goes.
        b.reload(alsoAccepted=[new])
        a.reload(alsoAccepted=[new])
        a.reload(key=new, alsoAccepted=[old])
        b.reload(key=new, alsoAccepted=[old])
        eventually("messages arrive under the new key", lambda: reader.ask()["received"] > before + 200)
        a.reload(alsoAccepted=[])
        b.reload(alsoAccepted=[])
        old, new = new, old
    written = writer.ask("count 0")
    report = settled(reader)
    expect_whole(report, "b", in_order=True)
    seen = counters(b)
    expect(
        report["received"] + seen["dropped_full"] == written["written"],
        "%d of %d came; %s; %s" % (report["received"], written["written"], counters(a), seen))


@check
def a_bridge_that_ends_sends_first_what_was_written(context):
    a, b = pair(context)
    reader = b.read(["x"])
    writer = a.write(1, [remote("b", "x")], interval=1000, count=1)
    eventually("the way is there", lambda: reader.ask()["received"] >= 1)  # it may have written more before it was told
    more = a.write(2, [remote("b", "x")], interval=0)
    a.bridge.signal(signal.SIGSTOP)
    more.tell("count 900")
    # It stopped at some number; what was written then is in the outbox, and what the bridge has taken is on its way.
    written = more.answer()["written"] + writer.answer()["written"]
    a.bridge.process.stdin.close()
    a.bridge.signal(signal.SIGCONT)
    eventually(lambda: "%d come: %s" % (written, reader.ask()), lambda: reader.ask()["received"] == written)
    expect_whole(settled(reader), "b")


@check
def more_writers_than_an_outbox_has_lanes(context):
    a, b = pair(context)
    reader = b.read(["x"])
    count = 80  # 64 have room in one
    writers = [a.write(number, [remote("b", "x")], interval=5000) for number in range(count)]
    written = sum(writer.ask("count 0")["written"] for writer in writers)
    eventually(lambda: "%d come: %s" % (written, reader.ask()["received"]), lambda: reader.ask()["received"] >= written)
    report = settled(reader)
    expect_whole(report, "b")
    expect(report["received"] == written, "%d of %d came" % (report["received"], written))
    expect(all(received(report, "x", number)[0] > 0 for number in range(count)), "some writer was not heard")


@check
def bridges_on_one_machine_share_a_group(context):
    port = 20000 + os.getpid() % 10000
    machines = [
        context.world.machine("m%d" % number, addresses=["127.0.0.%d" % number], port=port, groups=["239.255.77.83"], key=7).start()
        for number in (2, 3, 4)]
    readers = [machine.read(["x"]) for machine in machines]
    for machine in machines:
        eventually(
            lambda: "%s knows the others: %s" % (machine.host, counters(machine)), lambda: counters(machine)["announcements_received"] >= 2)
    for number, machine in enumerate(machines):
        machine.write(number, [remote("*", "x"), remote("m%d" % (2 + (number + 1) % 3), "x")], interval=1000, count=100)
    for reader in readers:
        eventually(lambda: "all come: %s" % reader.ask(), lambda: reader.ask()["received"] >= 400)
    for reader in readers:
        report = settled(reader)
        expect_whole(report, "one of three", in_order=True)
        expect(report["received"] == 400, "%d came" % report["received"])


@check
def ten_thousand_small_mailslots(context):
    a, b = pair(context, outboxCapacity=16, outboxCountMax=20000)
    count = 10000
    reader = b.read_many(count, 16)
    memory = b.bridge.memory()
    wanted = 2000 if context.seconds < 30 else count
    writer = a.write_many(1, "b", wanted)
    written = writer.answer()
    expect(written["written"] == wanted, "the writer: %s" % written)
    eventually(lambda: "all have come: %d; %s" % (reader.ask()["received"], counters(b)), lambda: reader.ask()["received"] >= wanted)
    report = settled(reader)
    expect_whole(report, "b")
    expect(report["received"] == wanted, "%d came" % report["received"])
    grown = b.bridge.memory() - memory
    print("  the receiving bridge grew by %d KB for %d mailslots" % (grown >> 10, wanted))
    expect(grown < wanted * 8192 + (8 << 20), "it grew by %d bytes" % grown)


@check
def an_idle_bridge_costs_nothing(context):
    a, b = pair(context, announceMilliseconds=1000)
    eventually("they know each other", lambda: counters(a)["announcements_received"] > 0)
    before, start = a.bridge.cpu(), time.monotonic()
    time.sleep(2)
    used = (a.bridge.cpu() - before) / (time.monotonic() - start)
    print("  %.1f %% of a processor" % (100 * used))
    expect(used < 0.05, "it used %.1f %%" % (100 * used))


# MARK: network namespaces


def switched(context, count, **settings):
    why = namespaces.obstacle()
    if why:
        raise Skip(why)
    switch = namespaces.Switch(context.world)
    machines = []
    for number in range(count):
        machine = context.world.machine("host%d" % number, key=7, announceMilliseconds=500, **settings)
        machines.append(switch.plug(machine))
    return switch, machines


@check
def a_broadcast_reaches_each_mailslot_of_sixteen_hosts_once(context):
    switch, machines = switched(context, 16)
    for machine in machines:
        machine.start()
    for machine in machines:
        eventually(
            lambda: "%s knows the others: %s" % (machine.host, counters(machine)),
            lambda: counters(machine)["announcements_received"] >= 15)
    readers = [machine.read(["all", "one"]) for machine in machines]
    for number, machine in enumerate(machines):
        machine.write(number, [remote("*", "all")], interval=2000, count=50)
        machine.write(100 + number, [remote("host%d" % ((number + 5) % 16), "one")], interval=2000, count=50)
    for number, reader in enumerate(readers):
        report = eventually(
            lambda: "all come to host%d: %s" % (number, reader.ask()),
            lambda: (lambda it: it["received"] >= 16 * 50 + 50 and it)(reader.ask()))
    for number, reader in enumerate(readers):
        report = settled(reader)
        expect_whole(report, "host%d" % number, in_order=True)
        for sender in range(16):
            got = received(report, "all", sender)
            expect(got == (50, 50), "host%d got %s of host%d" % (number, got, sender))
        expect(received(report, "one", 100 + (number - 5) % 16) == (50, 50), "host%d got others' messages" % number)


@check
def an_interface_may_go_down_and_come_up(context):
    switch, (a, b) = switched(context, 2)
    a.start()
    b.start()
    reader = b.read(["x"])
    writer = a.write(1, [remote("host1", "x"), remote("*", "x")], interval=1000)
    for turn in range(2 if context.seconds < 30 else 10):
        for machine in (a, b):
            before = received(reader.ask(), "x", 1)[1]
            eventually("messages arrive", lambda: received(reader.ask(), "x", 1)[1] > before + 20)
            switch.set_link(machine, "down")
            time.sleep(context.random.uniform(0, 0.5))
            switch.set_link(machine, "up")
            before = received(reader.ask(), "x", 1)[1]
            eventually(
                lambda: "messages arrive after %s was down: %s" % (machine.host, counters(a)),
                lambda: received(reader.ask(), "x", 1)[1] > before + 100)
    expect_whole(settled_after(writer, reader), "b")
    drops = {name: value for name, value in counters(a).items() if "drop" in name and value}
    print("  what was dropped: %s" % drops)


@check
def an_interface_made_anew_is_joined_again(context):
    switch, (a, b) = switched(context, 2)
    a.start()
    b.start()
    reader = b.read(["x"])
    eventually("they know each other", lambda: counters(a)["announcements_received"] > 0 and counters(b)["announcements_received"] > 0)
    writer = a.write(1, [remote("*", "x")], interval=1000, count=10000000)
    eventually("messages arrive", lambda: received(reader.ask(), "x", 1)[1] > 0)
    # A container that is connected anew has another index, a VPN may have the same.
    for keeps_index in (False, True, False):
        index = switch.remove_interface(b)
        switch.add_interface(b, index if keeps_index else None)
        begin, before = time.monotonic(), received(reader.ask(), "x", 1)[1]
        eventually(
            lambda: "messages arrive by an interface made anew, index %d: %s" % (index, counters(b)),
            lambda: received(reader.ask(), "x", 1)[1] > before + 100, timeout=20)
        print("  after %.1f s" % (time.monotonic() - begin))
    expect("The network has changed" in b.bridge.last_words(), "nothing is logged: " + b.bridge.last_words())
    expect_whole(settled_after(writer, reader), "b")


def expect_refusal(machine, *words):
    """Its bridge does not start, and says why and what to do."""
    try:
        machine.start()
    except Failure as failure:
        for word in words:
            expect(word in str(failure), "the error lacks \"%s\": %s" % (word, failure))
        return
    raise Failure("it started")


@check
def a_network_that_cannot_carry_it_is_said_to_be_so(context):
    switch, (a, b) = switched(context, 2)
    namespaces.ip("-n", a.namespace, "route", "del", "224.0.0.0/4", "dev", "eth0")
    namespaces.ip("-n", a.namespace, "-6", "route", "flush", "table", "local")
    expect_refusal(a, "Multicast does not work", "no peers", "no multicast to 239.255.77.83", "ip route add 224.0.0.0/4")
    # With a peer it is no more than a warning, and by a named interface there is multicast without a route.
    a.start(peers=["%s:4240" % b.ip_address])
    expect("no multicast to 239.255.77.83: there is no route to it" in a.bridge.last_words(), a.bridge.last_words())
    a.bridge.end()
    a.start(peers=[], interfaces=["eth0"], groups=["239.255.77.83"])

    namespaces.ip("-n", b.namespace, "link", "set", "eth0", "mtu", "600")
    expect_refusal(b, "MTU is too small", "604")
    namespaces.ip("-n", b.namespace, "link", "set", "eth0", "mtu", "604")
    b.settings["groups"] = ["239.255.77.83"]
    b.start()
    reader = a.read(["x"])
    writer = b.write(1, [remote("host0", "x"), remote("*", "x")], byte_count=424, interval=1000, count=200)
    eventually(lambda: "all come through: %s, %s" % (reader.ask(), counters(b)), lambda: reader.ask()["received"] == 400)
    expect(counters(b)["transport.drops.send.mtu"] == 0, "some were too long: %s" % counters(b))
    expect_refusal(context.world.machine("other", addresses=["127.0.0.1"], port=0, interfaces=["nosuch0"], key=7), "nosuch0", "ip link")


@check
def hosts_of_both_families_hear_one_copy_and_those_of_one_are_heard(context):
    switch, (both, alike, only6) = switched(context, 3)
    namespaces.ip("-n", only6.namespace, "address", "flush", "dev", "eth0", "scope", "global")
    only6.settings["addresses"] = ["::"]
    both.start()
    alike.start()
    readers = [machine.read(["x"]) for machine in (both, alike, only6)]
    eventually("they know each other", lambda: counters(alike)["announcements_received"] > 0)
    before = counters(both)["transport.datagrams.sent"]
    writer = both.write(1, [remote("*", "x")], interval=1000, count=200)
    eventually(lambda: "all come: %s" % readers[1].ask(), lambda: readers[1].ask()["received"] == 200)
    expect(counters(alike)["datagrams_refused_seen"] == 0, "some came by both families")

    only6.start()
    eventually("they know each other", lambda: counters(only6)["announcements_received"] >= 4)
    writer = both.write(2, [remote("*", "x")], interval=1000, count=200)
    eventually(lambda: "all come: %s" % readers[2].ask(), lambda: received(readers[2].ask(), "x", 2)[0] == 200)
    for reader in readers:
        expect_whole(settled(reader), "a host", in_order=False)
    expect(counters(alike)["datagrams_refused_seen"] > 0, "it was not sent by both families")


# MARK: running


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=int(os.environ.get("MAILSLOTS_TEST_SEED", "0")) or random.randrange(1, 10**9))
    options.add_argument("--seconds", type=float, default=4, help="how long what has no natural end goes on")
    options.add_argument("--list", action="store_true")
    options.add_argument("names", nargs="*")
    chosen = options.parse_args()
    if chosen.list:
        print("\n".join(one.__name__ for one in CHECKS))
        return 0
    print("seed %d" % chosen.seed)
    failed = passed = skipped = 0
    for one in CHECKS:
        if chosen.names and not any(name in one.__name__ for name in chosen.names):
            continue
        world = World(one.__name__)
        start = time.monotonic()
        try:
            one(Context(world, chosen.seed, chosen.seconds))
            print("ok %s, %.1f s" % (one.__name__, time.monotonic() - start))
            passed += 1
        except Skip as why:
            print("skipped %s: %s" % (one.__name__, why))
            skipped += 1
        except Exception as failure:
            print("FAILED %s: %s" % (one.__name__, failure))
            if not isinstance(failure, Failure):
                traceback.print_exc()
            for machine in world.machines:
                if machine.bridge:
                    print("  %s logged: %s" % (machine.host, machine.bridge.last_words()[-600:]))
            failed += 1
        finally:
            world.close()
        sys.stdout.flush()
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0


sys.exit(main())
