"""A domain whose hosts announce themselves, event by event.

Every host announces itself to every host when it starts, and from then on every period. What it does when it hears an announcement of a
host that it does not know is the RULE:

    at once, to all   it announces itself to every host
    at once, to one   it sends its announcement to that host alone
    each delayed      it plans to announce itself to every host after a random time, up to 1 ms for each host that it knows and a period at
                      most; if it had planned to sooner, that stays. For the next host that it does not know, again
    one delayed       the same, but while such an answer is planned no other is: one answers all. What a bridge does: AnnouncementSchedule

An answer is an announcement, so who hears it first from that host answers it in turn. Nothing is lost on the network; what arrives at one
host goes through its receive buffer, and is handled one after the other.
"""

import bisect
import collections
import heapq
import random

AT_ONCE_TO_ALL, AT_ONCE_TO_ONE, EACH_DELAYED, ONE_DELAYED = RULES = ("at once, to all", "at once, to one", "each delayed", "one delayed")
DELAY_A_HOST_S = 0.001
# Regular announcements come a tenth of the period early or late, so that hosts that started together do not stay together.
JITTER = 0.1
NETWORK_S = 0.0001

Outcome = collections.namedtuple("Outcome", "sent received_worst_second cpu_worst_second queue_bytes_max lost known_after_s")


def simulate(hosts, newcomers, rule, costs, seed):
    """`newcomers` of the hosts start within a second, the others have known each other for long. What is received is told of the newcomer
    that starts first."""
    generator = random.Random(f"{seed} {hosts} {newcomers} {rule}")
    starts = sorted(generator.random() for _ in range(newcomers))
    if rule in (EACH_DELAYED, ONE_DELAYED):
        domain = Delayed(hosts, starts, rule == ONE_DELAYED, costs, generator)
        domain.run()
        return outcome(domain.sent, domain.arrivals, domain.known_after_s, costs)
    return outcome(*answered_at_once(hosts, starts, rule), costs)


def answered_at_once(hosts, starts, rule):
    """Of a newcomer and each host before it, the one hears the other's announcement and answers, then the other answers that."""
    established = hosts - len(starts)
    sent, arrivals = 0, []
    for number, start in enumerate(starts):
        others = established + number
        sent += 1 + 2 * others
        first, second = (start + NETWORK_S * hops for hops in (2, 3))
        if number == 0:
            arrivals.append((first, others))
        elif rule == AT_ONCE_TO_ALL:
            arrivals += [(start + NETWORK_S, 1), (first, others - 1), (second, others)]
        else:
            # The newcomer's own, and its answer to the answer of this host.
            arrivals += [(start + NETWORK_S, 1), (second, 1)]
    return sent, arrivals, starts[-1] + 3 * NETWORK_S


class Delayed:
    def __init__(self, hosts, starts, one, costs, generator):
        self.period, self.random, self.starts, self.one = costs.announce_every_s, generator, starts, one
        self.established = hosts - len(starts)
        self.observed = self.established
        self.sent, self.arrivals, self.known_after_s = 0, [], 0.0
        # Sets of hosts are the bits of a number: those that are there, that know a host, that have planned an answer.
        self.there = (1 << self.established) - 1
        self.known_by = [self.there if host < self.established else 0 for host in range(hosts)]
        self.answering = 0
        self.pairs_unknown = hosts * (hosts - 1) - self.established * (self.established - 1)
        # When each host announced itself last, all in order: how many has one heard since it started?
        self.last, self.lasts, self.since = {}, [], [-1] * hosts
        # (time, host, what): what a host does next. An announcement is void if an earlier one took its place.
        self.events, self.next = [], [0.0] * hosts

    def run(self):
        for host in range(self.established):
            self.plan(host, self.random.random() * self.period)
        for number, start in enumerate(self.starts):
            heapq.heappush(self.events, (start, self.established + number, self.start))
        # Until all know all, and nobody has anybody to answer.
        while self.pairs_unknown > 0 or self.answering:
            now, host, action = heapq.heappop(self.events)
            action(host, now)

    def plan(self, host, time):
        self.next[host] = time
        heapq.heappush(self.events, (time, host, self.announce_as_planned))

    def start(self, host, now):
        self.there |= 1 << host
        self.known_by[host] |= 1 << host
        self.since[host] = self.sent
        self.announce(host, now)

    def announce_as_planned(self, host, now):
        if self.next[host] == now:
            self.announce(host, now)

    def announce(self, host, now):
        self.sent += 1
        self.answering &= ~(1 << host)
        if host in self.last:
            del self.lasts[bisect.bisect_left(self.lasts, self.last[host])]
        self.last[host] = self.sent
        self.lasts.append(self.sent)
        self.plan(host, now + self.period * self.random.uniform(1 - JITTER, 1 + JITTER))
        others = self.there & ~(1 << host)
        if others >> self.observed & 1:
            self.arrivals.append((now + NETWORK_S, 1))
        new = others & ~self.known_by[host]
        if not new:
            return
        self.known_by[host] |= new
        self.pairs_unknown -= new.bit_count()
        self.known_after_s = now
        for hearer in bits(new & ~self.answering if self.one else new):
            known = self.established if hearer < self.established else 0
            known += len(self.lasts) - bisect.bisect_right(self.lasts, self.since[hearer])
            answer = now + NETWORK_S + self.random.uniform(0, min(known * DELAY_A_HOST_S, self.period))
            if answer < self.next[hearer]:
                self.plan(hearer, answer)
        self.answering |= new


def bits(number):
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


def outcome(sent, arrivals, known_after_s, costs):
    """What one host makes of what arrives, (time, how many at once) in order."""
    arrivals = sorted(arrivals)
    seconds = collections.Counter()
    waiting, lost, most, before = 0.0, 0.0, 0.0, 0.0
    room = costs.buffer_bytes / costs.charged_bytes
    unbounded = 0.0
    for time, count in arrivals:
        seconds[int(time)] += count
        done = (time - before) / costs.receive_short_s
        before = time
        unbounded = max(0, unbounded - done) + count
        most = max(most, unbounded)
        waiting = max(0, waiting - done) + count
        lost += max(0, waiting - room)
        waiting = min(waiting, room)
    received = sum(seconds.values())
    worst = max(seconds.values(), default=0)
    cpu = worst * costs.receive_short_s
    return Outcome(sent, worst, cpu, most * costs.charged_bytes, lost / max(1, received), known_after_s)
