import Testing

@testable import MailslotsBridge

/// What hosts, mailslots and outboxes may be called; requests and announcements, in which the names are; patterns of them.
@Suite struct NameTests {
    private static let control = "\u{1F}"

    // MARK: names

    @Test(arguments: [
        "a", String(repeating: "a", count: 63), "a.b", "...", "a b", "ä", "r\u{A0}", "host,7",
    ])
    func `a host may be called this`(name: String) { #expect(HostName.canonical([UInt8](name.utf8), folding: false) == name) }

    @Test(arguments: [
        "", String(repeating: "a", count: 64), ".", "..", "a\\", "/a", "a:b", "a*", "a?", "<a", "a>", "a\"b", "a|b", "a@b", "a\u{0}b",
        "a\(control)", "a\u{7F}", "a\u{85}b", "a\u{9F}",
    ])
    func `a host may not be called this`(name: String) { #expect(HostName.canonical(name) == nil) }

    @Test func `capitals are folded where people write, and refused where programs do`() {
        #expect(HostName.canonical("RenderAZ7Ä") == "renderaz7Ä")
        #expect(HostName.canonical([UInt8]("Render".utf8), folding: false) == nil)
        #expect(HostName.canonical([0x61, 0xFF]) == nil, "not UTF-8")
    }

    @Test(arguments: ["a", String(repeating: "a", count: 40), "a/b/c", "a b", "ä", "a@b", "."])
    func `a mailslot may be called this from afar`(name: String) { #expect(MailslotName.canonical([UInt8](name.utf8)) == name) }

    @Test(arguments: [
        "", String(repeating: "a", count: 41), "a//b", "/a", "a/", "a\\b", "a:b", "a*", "a?", "<a", "a>", "a\"", "a|", "aB", "aZ", "Ab",
        "a\u{0}", "a\(control)", "a\u{7F}",
    ])
    func `a mailslot may not be called this from afar`(name: String) { #expect(MailslotName.canonical([UInt8](name.utf8)) == nil) }

    @Test(arguments: ["bridge/out/0/far/orders", "bridge/out/63/@/a/b", "bridge/out/7/studio/a"])
    func `the name of an outbox says what it is`(name: String) throws { #expect(try #require(OutboxName(local: name)).local == name) }

    @Test(arguments: [
        "orders", "bridge/in/0/far/orders", "bridge/out/far/orders", "bridge/out/0/far", "bridge/out/0//orders", "bridge/out/0/far/",
        "bridge/out/64/far/a", "bridge/out/-1/far/a", "bridge/out/+1/far/a", "bridge/out/00/far/a", "bridge/out/x/far/a",
        "bridge/out/0/@@/a", "bridge/out/0/FAR/a",
    ])
    func `this is no outbox`(name: String) { #expect(OutboxName(local: name) == nil) }

    @Test func `names of mailslots are told apart to their last byte`() throws {
        func key(_ name: [UInt8]) throws -> MailslotKey { try #require(MailslotKey(unsafe name.span.bytes)) }
        for count in 1...40 {
            let name = (0..<count).map { UInt8($0) + 65 }
            #expect(try key(name).bytes == name)
            #expect(try key(name) == key(name))
            for index in name.indices {
                var other = name
                other[index] ^= 0x80
                #expect(try key(name) != key(other))
            }
            if count < 40 { #expect(try key(name) != key(name + [0])) }
        }
        #expect(MailslotKey(unsafe [UInt8]().span.bytes) == nil)
        #expect(MailslotKey(unsafe [UInt8](repeating: 65, count: 41).span.bytes) == nil)
    }

    // MARK: requests

    static let request: [UInt8] = [1, 1, 7, 3, 6, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8] + [UInt8]("farorders".utf8)

    @Test func `a request is understood`() throws {
        let request = try #require(OutboxRequest(Self.request))
        #expect(request.id == 0x0807_0605_0403_0201)
        #expect(request.outbox?.local == "bridge/out/7/far/orders")
        // Understood, and to be refused.
        #expect(try #require(OutboxRequest([1, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])).outbox == nil)
    }

    @Test func `what is no request to its last byte is none`() {
        for (index, value) in [(0, 0), (0, 2), (1, 0), (1, 2), (3, 2), (3, 4), (4, 5), (4, 7), (5, 1), (6, 1), (7, 1)] as [(Int, UInt8)] {
            var bytes = Self.request
            bytes[index] = value
            #expect(OutboxRequest(bytes) == nil, "byte \(index) is \(value)")
        }
        for count in Self.request.indices { #expect(OutboxRequest([UInt8](Self.request.prefix(count))) == nil) }
        #expect(OutboxRequest(Self.request + [0]) == nil)
    }

    // MARK: announcements

    func announcement(_ bytes: [UInt8]) -> Announcement? { Announcement(unsafe bytes.span.bytes) }

    @Test func `an announcement says who is there or goes`() {
        #expect(announcement([1, 1, 3, 0] + [UInt8]("far".utf8)) == Announcement(kind: .present, host: "far"))
        #expect(announcement([1, 2, 1, 0] + [UInt8]("f".utf8)) == Announcement(kind: .goodbye, host: "f"))
        let longest = Announcement(kind: .present, host: String(repeating: "h", count: 63))
        #expect(longest.bytes.count == Announcement.byteCountMax && announcement(longest.bytes) == longest)
    }

    @Test func `what is no announcement to its last byte is none`() {
        let valid = Announcement(kind: .present, host: "far").bytes
        for (index, value) in [(0, 0), (0, 2), (1, 0), (1, 3), (2, 2), (2, 4), (3, 1), (5, 0x41), (6, 0xFF)] as [(Int, UInt8)] {
            var bytes = valid
            bytes[index] = value
            #expect(announcement(bytes) == nil, "byte \(index) is \(value)")
        }
        for count in valid.indices { #expect(announcement([UInt8](valid.prefix(count))) == nil) }
        #expect(announcement(valid + [0x61]) == nil)
        #expect(announcement([1, 1, 0, 0]) == nil, "a host has a name")
    }

    // MARK: patterns

    @Test(arguments: [
        ("*", "anything/at all"), ("a", "a"), ("", ""), ("a*", "a"), ("a*", "abc"), ("*c", "abc"), ("*c", "c"), ("a*c", "abcbc"),
        ("*ab*ba*", "abba"), ("a*ab", "aaab"), ("studio/*", "studio/a/b"), ("Render*", "render7"), ("a**", "a"), ("*a*b*", "xaxb"),
    ])
    func `a pattern matches`(pattern: String, text: String) { #expect(Patterns(["no", pattern]).match(text)) }

    @Test(arguments: [
        ("a", ""), ("a", "ab"), ("", "a"), ("a*", "ba"), ("*c", "cb"), ("a*c", "ab"), ("*ab*ba*", "aba"), ("studio/*", "studio"),
        ("ab*", "a"), ("*a*b", "ba"),
    ])
    func `a pattern does not match`(pattern: String, text: String) { #expect(!Patterns([pattern]).match(text)) }

    @Test func `no pattern matches nothing`() { #expect(!Patterns([]).match("a")) }
}
