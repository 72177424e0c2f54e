import Foundation
import TestRandomness
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

/// A way to make transports that are connected with each other: what a suite of a transport hands to the claims below.
///
/// A suite has one test, over its kinds and all claims:
///
/// ```swift
/// @Test(.serialized, arguments: kinds, TransportClaim.all)
/// func conforms(kind: TransportKind, claim: TransportClaim) throws { try claim.check(kind) }
/// ```
struct TransportKind: Sendable, CustomTestStringConvertible {
    let name: String
    /// Why it cannot be used here; `nil`: it can.
    var obstacle: @Sendable () -> String? = { nil }
    /// Makes a transport for each configuration, in their order. Each can reach the others by `everyHost`, and none knows another by name.
    /// The configurations have hosts and domains, and else what a new one has; they may be given a network, groups and peers. Returns
    /// also what they became.
    let make: @Sendable ([BridgeConfiguration]) throws -> [(transport: any Transport, configuration: BridgeConfiguration)]

    var testDescription: String { name }
}

/// What every transport promises, see the protocol. Each is checked with transports of its own. Nothing here waits for time to pass.
struct TransportClaim: Sendable, CustomTestStringConvertible {
    let name: String
    var hosts = 2
    var domains = 1
    /// Whether they know each other by name when the check begins.
    var introduced = true
    let body: @Sendable (TransportNetwork) throws -> Void

    init(
        _ name: String, hosts: Int = 2, domains: Int = 1, introduced: Bool = true,
        _ body: @escaping @Sendable (TransportNetwork) throws -> Void
    ) {
        self.name = name
        self.hosts = hosts
        self.domains = domains
        self.introduced = introduced
        self.body = body
    }

    var testDescription: String { name }

    func check(_ kind: TransportKind) throws {
        if let obstacle = kind.obstacle() { try Test.cancel("\(obstacle)") }
        let network = try TransportNetwork(kind, hosts: hosts, domains: domains)
        defer { network.close() }
        if introduced { try network.introduce() }
        try body(network)
    }

    static let all = addressing + carrying + waiting + ending

    // MARK: destinations

    static let addressing = [
        TransportClaim("what is for one host reaches it", hosts: 3) { network in
            for (number, receiver) in [1, 2, 1, 0].enumerated() {
                let sender = receiver == 0 ? 2 : 0
                let datagram = TestDatagram(sender: sender, number: UInt64(number), byteCount: 200)
                network.send([(datagram, .host(network.hosts[receiver]))])
                try #expect(network.receive(at: receiver, count: 1) == [datagram])
            }
        },

        TransportClaim("what is for every host reaches all others", hosts: 4) { network in
            for sender in network.hosts.indices {
                let datagram = TestDatagram(sender: sender, number: 7, byteCount: 300)
                network.send([(datagram, .everyHost)])
                for receiver in network.hosts.indices where receiver != sender {
                    try #expect(network.receive(at: receiver, count: 1) == [datagram], "\(sender) to \(receiver)")
                }
            }
        },

        TransportClaim("no path is known to a host that was not heard, and what is for it is dropped and counted", introduced: false) {
            network in
            let route = Route(domain: 0, destination: .host(network.hosts[1]))
            #expect(network[0].byteCountMax(to: route) == nil)
            #expect(network[0].byteCountMax(to: Route(domain: 99, destination: .everyHost)) == nil)

            network.send([(TestDatagram(sender: 0, number: 1, byteCount: 100), route.destination)])

            #expect(network[0].dropsOfSending == 1)
            #expect(network[0].counter("datagrams.sent") == 0)
        },

        TransportClaim("a host is known from when it was learned until it is forgotten", introduced: false) { network in
            let route = Route(domain: 0, destination: .host(network.hosts[1]))
            try network.introduce()
            let byteCountMax = try #require(network[0].byteCountMax(to: route))
            #expect(576...1472 ~= byteCountMax)
            #expect(576...1472 ~= network[0].byteCountMax(to: Route(domain: 0, destination: .everyHost))!)

            network[0].forget(network.hosts[1], inDomain: 0)
            #expect(network[0].byteCountMax(to: route) == nil)
            network[0].forget(network.hosts[1], inDomain: 0)
            network[0].forget("nobody", inDomain: 5)

            try network.introduce()
            #expect(network[0].byteCountMax(to: route) == byteCountMax)
        },

        TransportClaim("a host that moves is followed", hosts: 3) { network in
            for home in [1, 2, 1] {
                network.send([(TestDatagram(sender: home, number: UInt64(home), byteCount: 64), .host(network.hosts[0]))])
                try network.receive(at: 0, count: 1) { network[0].learn("traveller", inDomain: 0, from: $0) }

                let datagram = TestDatagram(sender: 0, number: UInt64(10 + home), byteCount: 100)
                network.send([(datagram, .host("traveller"))])
                try #expect(network.receive(at: home, count: 1) == [datagram])
                network.forgetWhatWasSeen()
            }
        },

        TransportClaim("each domain has hosts of its own", domains: 2, introduced: false) { network in
            try network.introduce(inDomain: 1)
            let name = Destination.host(network.hosts[1])
            #expect(network[0].byteCountMax(to: Route(domain: 0, destination: name)) == nil)
            #expect(network[0].byteCountMax(to: Route(domain: 1, destination: name)) != nil)

            for (number, destination) in [name, .everyHost].enumerated() {
                let datagram = TestDatagram(sender: 0, number: UInt64(number), byteCount: 100)
                network.send([(datagram, destination)], inDomain: 1)
                try #expect(network.receive(at: 1, count: 1) == [datagram])
            }
        },

        TransportClaim("who a datagram is from can be told") { network in
            network.send([(TestDatagram(sender: 1, number: 1, byteCount: 64), .host(network.hosts[0]))])
            var text = ""
            try network.receive(at: 0, count: 1) { text = network[0].describe($0) }
            #expect(!text.isEmpty && !text.contains("\n"))
        },
    ]

    // MARK: datagrams

    static let carrying = [
        TransportClaim("datagrams of every length arrive whole") { network in
            let destination = Destination.host(network.hosts[1])
            let most = network[0].byteCountMax(to: Route(domain: 0, destination: destination))!
            let datagrams = [64, 65, 127, 128, 500, 528, 1000, most - 1, most, 64, most].enumerated().map {
                TestDatagram(sender: 0, number: UInt64($0), byteCount: $1)
            }

            network.send(datagrams.map { ($0, destination) })

            try #expect(network.receive(at: 1, count: datagrams.count) == datagrams)
        },

        TransportClaim("full batches arrive in the order of their sender") { network in
            let destination = Destination.host(network.hosts[1])
            let most = network[0].byteCountMax(to: Route(domain: 0, destination: destination))!
            for batch in 0..<20 {
                let datagrams = (0..<DatagramBatch.countMax).map {
                    TestDatagram(sender: 0, number: UInt64(batch * DatagramBatch.countMax + $0), byteCount: $0 % 5 == 4 ? 100 : most)
                }
                network.send(datagrams.map { ($0, destination) })
                // Numbers count up from batch to batch, and here each arrives before the next is sent.
                try #expect(network.receive(at: 1, count: datagrams.count) == datagrams)
            }
        },

        TransportClaim("a batch may have datagrams for several hosts and for all", hosts: 3) { network in
            let destinations: [Destination] = [.host(network.hosts[1]), .everyHost, .host(network.hosts[2]), .host(network.hosts[1])]
            let batch = (0..<DatagramBatch.countMax).map { number in
                (TestDatagram(sender: 0, number: UInt64(number), byteCount: 64 + number * 7), destinations[number % 4])
            }

            network.send(batch)

            for receiver in 1...2 {
                let expected = batch.filter { $0.1 == .everyHost || $0.1 == .host(network.hosts[receiver]) }.map(\.0)
                let received = try network.receive(at: receiver, including: expected)
                for destination in destinations {
                    // Of one destination they are in order.
                    let numbers = Set(batch.filter { $0.1 == destination }.map(\.0.number))
                    let ofIt = received.filter { numbers.contains($0.number) && expected.contains($0) }
                    #expect(ofIt == ofIt.sorted { $0.number < $1.number })
                }
            }
        },

        TransportClaim("bytes that no bridge would send are carried unchanged") { network in
            var generator = SeededGenerator.forTest("garbage of transports")
            for _ in 0..<50 {
                let byteCount = Int.random(in: 64...576, using: &generator)
                let garbage = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }
                network.send(bytes: garbage, from: 0, to: .host(network.hosts[1]))
                try #expect(network.receiveBytes(at: 1) { $0 == garbage })
            }
        },

        TransportClaim("what is sent and received is counted") { network in
            let before = network.hosts.indices.map { host in
                (network[host].counter("datagrams.sent"), network[host].counter("datagrams.received"))
            }
            let datagrams = (0..<40).map { TestDatagram(sender: 0, number: UInt64($0), byteCount: 64 + $0) }
            network.send(datagrams.map { ($0, .host(network.hosts[1])) })
            try #expect(network.receive(at: 1, count: 40) == datagrams)

            #expect(network[0].counter("datagrams.sent") - before[0].0 + network[0].dropsOfSending == 40)
            #expect(network[1].counter("datagrams.received") - before[1].1 >= 40)
            let names = network[0].counters.map(\.name)
            #expect(Set(names).count == names.count)
        },
    ]

    // MARK: waiting and threads

    static let waiting = [
        TransportClaim("where nothing is, receiving ends at once and waiting ends when the time is up") { network in
            try network.drain()
            while network[1].receive({ _, _ in }) > 0 {}
            let start = ContinuousClock.now
            network[1].wait(upTo: 0)
            network[1].wait(upTo: -1)
            // It may end earlier for nothing, but not always.
            while ContinuousClock.now - start < .milliseconds(20) { network[1].wait(upTo: 20_000_000) }
            while network[1].receive({ _, _ in }) > 0 {}
        },

        TransportClaim("a wait ends for a datagram") { network in
            for number in 0..<20 {
                let sender = TestThread {
                    network.send([(TestDatagram(sender: 0, number: UInt64(number), byteCount: 64), .host(network.hosts[1]))])
                }
                sender.start()
                // Waits in long ones: that it ends soon is what the watchdog of `receive` sees.
                try #expect(network.receive(at: 1, count: 1).map(\.number) == [UInt64(number)])
                sender.join()
            }
        },

        TransportClaim("a wait ends for a wake, also one that came before it") { network in
            let isOver = Flag()
            for isBefore in [true, false] {
                isOver.isSet = false
                if isBefore { network[1].wake() }
                let waker = TestThread {
                    while !isBefore && !isOver.isSet {
                        network[1].wake()
                        Thread.sleep(forTimeInterval: 0.001)
                    }
                }
                waker.start()
                let start = ContinuousClock.now
                network[1].wait(upTo: Watchdog.nanoseconds)
                isOver.isSet = true
                waker.join()
                #expect(ContinuousClock.now - start < .nanoseconds(Watchdog.nanoseconds))
            }
        },

        TransportClaim("all threads may wake and count while others send and receive") { network in
            let count = 4000
            let isOver = Flag()
            var threads: [TestThread] = []
            for host in 0...1 {
                threads.append(
                    TestThread {
                        for number in stride(from: 0, to: count, by: 50) {
                            network.send(
                                (number..<number + 50).map {
                                    (
                                        TestDatagram(sender: host, number: UInt64($0), byteCount: 64 + $0 % 500),
                                        .host(network.hosts[1 - host])
                                    )
                                })
                        }
                    })
            }
            threads.append(
                TestThread {
                    while !isOver.isSet {
                        for host in 0...1 {
                            network[host].wake()
                            _ = network[host].counters + [TransportCounter(network[host].summary, 0)]
                        }
                        Thread.sleep(forTimeInterval: 0.0001)
                    }
                })
            let second = TestThread { while !isOver.isSet { network.take(at: 1, waiting: 1_000_000) } }
            for thread in threads + [second] { thread.start() }
            while !threads[0].isFinished || !threads[1].isFinished { network.take(at: 0, waiting: 1_000_000) }
            isOver.isSet = true
            for thread in threads + [second] { thread.join() }
            try network.drain()

            // Each that arrived is one that was sent, whole, and in order: `take` has seen to that.
            for host in 0...1 {
                let received = network.taken(at: host)
                #expect(received.count > 0 && received.count <= count)
                #expect(received == received.sorted { $0.number < $1.number })
            }
        },
    ]

    // MARK: changes and the end

    static let ending = [
        TransportClaim("what is on its way when the configuration is read again arrives, and hosts stay known") { network in
            let datagrams = (0..<64).map { TestDatagram(sender: 0, number: UInt64($0), byteCount: 600) }
            network.send(datagrams.map { ($0, .host(network.hosts[1])) })

            for host in 0...1 { try network[host].reconfigure(network.configurations[host]) }

            try #expect(network.receive(at: 1, count: 64) == datagrams)
            let answer = TestDatagram(sender: 1, number: 1, byteCount: 64)
            network.send([(answer, .host(network.hosts[0]))])
            try #expect(network.receive(at: 0, count: 1) == [answer])
        },

        TransportClaim("hosts stay in their domains when these change places", domains: 2, introduced: false) { network in
            try network.introduce(inDomain: 0)
            let name = Destination.host(network.hosts[1])

            for host in 0...1 {
                var changed = network.configurations[host]
                changed.domains.reverse()
                try network[host].reconfigure(changed)
            }
            #expect(network[0].byteCountMax(to: Route(domain: 0, destination: name)) == nil)
            #expect(network[0].byteCountMax(to: Route(domain: 1, destination: name)) != nil)
            let datagram = TestDatagram(sender: 0, number: 1, byteCount: 100)
            network.send([(datagram, name)], inDomain: 1)
            try #expect(network.receive(at: 1, count: 1) == [datagram])

            for host in 0...1 {
                var fewer = network.configurations[host]
                fewer.domains.removeFirst()
                try network[host].reconfigure(fewer)
            }
            #expect(network[0].byteCountMax(to: Route(domain: 0, destination: name)) == nil)
            #expect(network[0].byteCountMax(to: Route(domain: 1, destination: .everyHost)) == nil)
            let second = TestDatagram(sender: 1, number: 2, byteCount: 100)
            network.send([(second, .everyHost)], inDomain: 0)
            try #expect(network.receive(at: 0, count: 1) == [second])
        },

        TransportClaim("after the end it can still be asked and woken") { network in
            network.send([(TestDatagram(sender: 0, number: 1, byteCount: 64), .host(network.hosts[1]))])
            let sent = network[0].counter("datagrams.sent")
            #expect(!network[0].summary.isEmpty && !network[0].summary.contains("\n"))

            network[0].close()
            network[0].close()

            network[0].wake()
            #expect(network[0].counter("datagrams.sent") == sent)
            #expect(!network[0].summary.isEmpty)
            // The others go on.
            network.send([(TestDatagram(sender: 1, number: 1, byteCount: 64), .everyHost)])
            #expect(network[1].receive { _, _ in } >= 0)
        },
    ]
}

extension Transport {
    func counter(_ name: String) -> UInt64 { counters.first { $0.name == name }?.value ?? 0 }
    var dropsOfSending: UInt64 { counters.filter { $0.name.hasPrefix("drops.send.") }.reduce(0) { $0 + $1.value } }
}
