import Foundation
import TestRandomness
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

@Suite struct SealTests {
    static let key = DomainKey(unsafe [UInt8](0..<32).span.bytes)
    static let domain = Domain(name: "studio", used: key)
    static let session = SessionID(high: 0xA3A2_A1A0, low: 0xABAA_A9A8_A7A6_A5A4)
    static let time: UInt64 = 1_800_000_000_000_000_000
    static let second: UInt64 = 1_000_000_000
    static let hello: [PlainRecord] = [.message("jobs", [UInt8]("hello".utf8), sender: 4711)]

    static func sealer(_ domain: Domain = domain, session: SessionID = session) -> Sealer { Sealer(domain: domain, session: session) }
    static func opener(_ domains: [Domain] = [domain], host: String = "render7", start: UInt64 = time - 100 * second) -> Opener {
        Opener(host: host, domains: domains, start: start, clockBound: 30 * second)
    }

    // Made by another implementation, in Python with its package cryptography, from the text of the format.
    static let golden = bytes(
        """
        4d530100 1f3f432c b9bba299 a0a1a2a3a4a5a6a7a8a9aaab 0100000000000000 0000b49376e2fa18
        241bd89ffeb494c9ba7ee05b826b6bdcc3 7d9f82a3f230be0e4cb69f9b8aaf7671
        """)
    static let goldenForEveryHost = bytes(
        """
        4d530101 1f3f432c b9bba299 a0a1a2a3a4a5a6a7a8a9aaab 0200000000000000 0100b49376e2fa18
        d42e0d739193cfcf4abf9d5d8de4c7a29fd5ec3b2b4ef78cc41f6a63 a60ad108f625fe9b1aa7f8bec065c6d5
        """)
    static let goldenPublic = bytes(
        """
        4d530100 2f9dd75e aae2f715 a0a1a2a3a4a5a6a7a8a9aaab 0807060504030201 0000b49376e2fa18
        ae4c5cf79cb41d4f21 a2bb1ea0bd653b13c64a61216ae78c61
        """)

    @Test func `datagrams have these bytes`() throws {
        var sealer = Self.sealer()
        #expect(hex(sealer.sealed(Self.hello, to: .host("render7"), time: Self.time)) == hex(Self.golden))
        let more: [PlainRecord] = [.announcement([UInt8]("here".utf8)), .message("app/jobs", [], sender: .max)]
        #expect(hex(sealer.sealed(more, to: .everyHost, time: Self.time + 1)) == hex(Self.goldenForEveryHost))

        var opener = Self.opener()
        let first = try opener.opened(Self.golden, now: Self.time).get()
        #expect(first.records == Self.hello)
        #expect(first.origin?.isAuthenticated == true)
        #expect(first.origin?.domain == 0)
        #expect(first.origin?.header.session == Self.session)
        #expect(try opener.opened(Self.goldenForEveryHost, now: Self.time).get().records == more)
    }

    @Test func `what the public key sealed is not authenticated`() throws {
        var opener = Self.opener([Self.domain, Domain(name: "studio", used: .public)])
        let opened = try opener.opened(Self.goldenPublic, now: Self.time).get()
        #expect(opened.records == [.message("j", sender: 1)])
        #expect(opened.origin?.isAuthenticated == false)
        #expect(opened.origin?.domain == 1)
        var careful = Self.opener()
        #expect(careful.rejection(of: Self.goldenPublic, now: Self.time) == .unknownKey)
    }

    @Test(arguments: [golden, goldenForEveryHost])
    func `a datagram with any bit altered is refused`(datagram: [UInt8]) {
        var opener = Self.opener()
        for bit in 0..<datagram.count * 8 {
            var altered = datagram
            altered[bit / 8] ^= 1 << (bit % 8)
            #expect(opener.rejection(of: altered, now: Self.time) != nil, "bit \(bit)")
        }
        #expect(opener.sessionCount == 0)
        // And none of them shut the right one out.
        #expect(opener.rejection(of: datagram, now: Self.time) == nil)
        // Now in a known session.
        for bit in 0..<datagram.count * 8 {
            var altered = datagram
            altered[bit / 8] ^= 1 << (bit % 8)
            #expect(opener.rejection(of: altered, now: Self.time) != nil, "bit \(bit)")
        }
        #expect(opener.sessionCount == 1)
    }

    @Test func `a datagram that was cut or lengthened is refused`() {
        var opener = Self.opener()
        for count in 0..<Self.golden.count {
            let rejection = opener.rejection(of: [UInt8](Self.golden.prefix(count)), now: Self.time)
            #expect(rejection == (count < 64 ? .tooShort : .badTag))
        }
        #expect(opener.rejection(of: Self.golden + [0], now: Self.time) == .badTag)
        #expect(opener.rejection(of: Self.golden + [UInt8](repeating: 0, count: 2000), now: Self.time) == .tooLong)
    }

    @Test func `a datagram is for one host only`() {
        var other = Self.opener(host: "render8")
        #expect(other.rejection(of: Self.golden, now: Self.time) == .badTag)
        #expect(other.rejection(of: Self.goldenForEveryHost, now: Self.time) == nil)
        // Nor can it be made one for every host, or one that is for every host be made one for a host: the flag is under the tag, see
        // above.
        var nameless = Self.opener(host: "")
        var forAll = Self.golden
        forAll[3] = 1
        #expect(nameless.rejection(of: forAll, now: Self.time) == .badTag)
    }

    @Test func `a domain of the same key and another name is another domain`() {
        var opener = Self.opener([Domain(name: "workshop", used: Self.key)])
        #expect(opener.rejection(of: Self.golden, now: Self.time) == .unknownKey)
        var both = Self.opener([Domain(name: "workshop", used: Self.key), Self.domain])
        #expect((try? both.opened(Self.golden, now: Self.time).get())?.origin?.domain == 1)
    }

    @Test func `keys are rotated without losing a datagram`() {
        let new = DomainKey(unsafe [UInt8](repeating: 9, count: 32).span.bytes)
        let first = Domain(name: "studio", used: Self.key)
        let second = Domain(name: "studio", used: Self.key, alsoAccepted: [new])
        let third = Domain(name: "studio", used: new, alsoAccepted: [Self.key])
        let fourth = Domain(name: "studio", used: new)
        var generator = SeededGenerator.forTest("keys are rotated without losing a datagram")
        for (sending, receiving) in [
            (first, second), (second, first), (second, third), (third, second), (third, fourth), (fourth, third),
        ] {
            var sealer = Self.sealer(sending, session: SessionID(using: &generator))
            var opener = Self.opener([receiving])
            let datagram = sealer.sealed(Self.hello, to: .host("render7"), time: Self.time)
            #expect(opener.rejection(of: datagram, now: Self.time) == nil)
        }
        var old = Self.sealer(first)
        var opener = Self.opener([fourth])
        #expect(opener.rejection(of: old.sealed(Self.hello, to: .host("render7"), time: Self.time), now: Self.time) == .unknownKey)
    }

    @Test func `a datagram counts once`() {
        var sealer = Self.sealer()
        var datagrams: [[UInt8]] = []
        for _ in 0..<3000 { datagrams.append(sealer.sealed(Self.hello, to: .everyHost, time: Self.time)) }
        var opener = Self.opener()
        #expect(opener.rejection(of: datagrams[2500], now: Self.time) == nil)
        for index in [2500, 2500] { #expect(opener.rejection(of: datagrams[index], now: Self.time) == .seen) }
        #expect(opener.rejection(of: datagrams[2500 - Int(ReplayWindow.span)], now: Self.time) == nil)
        #expect(opener.rejection(of: datagrams[2500 - Int(ReplayWindow.span)], now: Self.time) == .seen)
        #expect(opener.rejection(of: datagrams[10], now: Self.time) == .tooOld)
        #expect(opener.rejection(of: datagrams[2999], now: Self.time) == nil)
        #expect(opener.sessionCount == 1)
    }

    @Test func `clocks may differ up to the bound`() {
        let bound = 30 * Self.second
        for (now, rejection) in [
            (Self.time + bound, nil), (Self.time + bound + 1, .badTime), (Self.time - bound, nil), (Self.time - bound - 1, .badTime),
            (Self.time + 3600 * Self.second, .badTime), (0, .badTime), (.max, .badTime),
        ] as [(UInt64, DatagramRejection?)] {
            var opener = Self.opener()
            #expect(opener.rejection(of: Self.golden, now: now) == rejection, "now \(now)")
        }
    }

    @Test func `what was sealed before the start is refused`() {
        var opener = Self.opener(start: Self.time)
        #expect(opener.rejection(of: Self.golden, now: Self.time) == nil)
        opener = Self.opener(start: Self.time + 1)
        #expect(opener.rejection(of: Self.golden, now: Self.time) == .beforeStart)
    }

    @Test func `a sealed datagram with wrong records is refused as a whole, and counts as seen`() {
        var sealer = Self.sealer()
        var opener = Self.opener()
        let good = appended { $0.mustAppend(Self.hello[0]) }
        let datagram = sealer.sealed(plain: good + [9, 0, 0, 0, 0, 0, 0, 0], to: .everyHost, time: Self.time)
        #expect(opener.rejection(of: datagram, now: Self.time) == .badKind)
        #expect(opener.rejection(of: datagram, now: Self.time) == .seen)
    }

    @Test func `sessions are bounded, and forgotten when none of their datagrams could come again`() {
        var opener = Self.opener()
        var generator = SeededGenerator.forTest("sessions are bounded")
        func datagram(at time: UInt64) -> [UInt8] {
            var sealer = Self.sealer(session: SessionID(using: &generator))
            return sealer.sealed(Self.hello, to: .everyHost, time: time)
        }
        let first = datagram(at: Self.time)
        #expect(opener.rejection(of: first, now: Self.time) == nil)
        for _ in 1..<Opener.sessionsMax { #expect(opener.rejection(of: datagram(at: Self.time), now: Self.time) == nil) }
        #expect(opener.rejection(of: datagram(at: Self.time), now: Self.time) == .tooManySessions)
        #expect(opener.sessionCount == Opener.sessionsMax)
        let later = Self.time + 60 * Self.second
        #expect(opener.rejection(of: datagram(at: later), now: later) == .tooManySessions)
        #expect(opener.rejection(of: datagram(at: later + 1), now: later + 1) == nil)
        #expect(opener.sessionCount == 1)
        #expect(opener.rejection(of: first, now: later + 1) == .badTime)
    }

    @Test func `full datagrams go there and back`() throws {
        var generator = SeededGenerator.forTest("full datagrams go there and back")
        var sealer = Self.sealer()
        var opener = Self.opener()
        for round in 0..<300 {
            var records: [PlainRecord] = []
            let room = round == 0 ? 1416 : Int.random(in: 500...1416, using: &generator)
            let plain = appended(capacity: room) { output in
                if round == 0 {
                    let name = String(repeating: "n", count: 40)
                    for _ in 0..<3 { records.append(.message(name, [UInt8](repeating: 7, count: 424))) }
                    for record in records { output.mustAppend(record) }
                    return
                }
                while true {
                    let record = PlainRecord.random(using: &generator)
                    guard output.append(record) else { break }
                    records.append(record)
                }
            }
            guard !plain.isEmpty else { continue }
            let time = Self.time + UInt64(round)
            let datagram = sealer.sealed(plain: plain, to: round % 2 == 0 ? .everyHost : .host("render7"), time: time)
            #expect(round != 0 || datagram.count == 1472)
            #expect(try opener.opened(datagram, now: Self.time).get().records == records)
        }
    }

    @Test func `each rejection is counted by its cause`() {
        let counters = BridgeCounters()
        for (number, cause) in DatagramRejection.allCases.enumerated() {
            for _ in 0...number { counters.add(cause) }
        }
        for (number, cause) in DatagramRejection.allCases.enumerated() { #expect(counters[cause] == UInt64(number + 1)) }
    }
}
