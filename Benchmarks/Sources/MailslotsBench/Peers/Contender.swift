import CBenchmarks

/// A row of the tables: our own, another way to hand messages from one process to another, or a reference that no one can beat.
struct Contender {
    enum Role: String, Codable {
        case ours, peer, reference
    }

    var name: String
    var role: Role
    /// How it is set, in a line.
    var settings: String
    /// nil: it needs no channel; only copying does not.
    var pointer: UnsafePointer<bench_peer>?

    /// It has sides of its own, for it calls and is not called; nil: those of the pattern.
    private var ownSides: ((PeerPattern.Kind) -> (first: Side, second: Side)?)?

    private init(_ pointer: UnsafePointer<bench_peer>, _ role: Role) {
        name = String(cString: pointer.pointee.name)
        settings = String(cString: pointer.pointee.settings)
        self.role = role
        self.pointer = pointer
    }

    private init(memcpy settings: String) {
        (name, role, self.settings, pointer) = ("memcpy", .reference, settings, nil)
    }

    /// SwiftNIO.
    private static var nio: Contender {
        var contender = Contender(NIOPeer.pointer, .peer)
        contender.ownSides = NIOPeer.sides
        return contender
    }

    /// The one that all others are compared with.
    static var baseline: Contender { Contender(bench_peer_ours(), .ours) }

    static var all: [Contender] {
        [baseline, Contender(SwiftPeer.pointer, .ours), Contender(bench_peer_win32(), .ours)]
            + (0..<bench_peer_count()).map { Contender(bench_peer_at($0), .peer) } + [nio]
            + (0..<bench_reference_count()).map { Contender(bench_reference_at($0), .reference) }
            + [Contender(memcpy: "one process that copies each message into a slot, and out of it")]
    }

    /// The bridge, as `mailslots-bench bridge` compares it: first as everybody would run it, then its other ways.
    static var bridges: [Contender] { (0..<bench_bridge_count()).map { Contender(bench_bridge_at($0), .ours) } }

    /// What the bridge is compared with: one call a message, another way to other machines, and what stays on this one.
    static var bridgePeers: [Contender] {
        all.filter { ["udp-loopback", "nats"].contains($0.name) } + [Contender(bench_peer_ours(), .reference)]
    }

    /// Ourselves as users may set how long waits poll. Measured only if asked for.
    static var pollings: [Contender] { (0..<bench_polling_count()).map { Contender(bench_polling_at($0), .ours) } }

    /// Peers that fail on purpose, for the tests of this program.
    static var broken: [Contender] { (0..<bench_broken_count()).map { Contender(bench_broken_at($0), .peer) } }

    /// Who does the work in a pattern.
    func pointer(for pattern: PeerPattern) -> UnsafePointer<bench_peer>? {
        pattern.kind == .open && role == .peer ? bench_peer_reopened(name) ?? pointer : pointer
    }

    func sides(for pattern: PeerPattern) -> (first: Side, second: Side) { ownSides?(pattern.kind) ?? pattern.sides }
    var checkSides: (first: Side, second: Side) {
        ownSides == nil ? (bench_peer_check_first, bench_peer_check_second) : NIOPeer.checkSides
    }

    /// What to do to have it measured; nil: it is here.
    var missing: String? { pointer?.pointee.missing.map { String(cString: $0) } }
    var version: String? { missing == nil ? pointer?.pointee.version.flatMap { $0() }.map { String(cString: $0) } : nil }

    /// Why it is left out of a pattern; nil: it is not.
    func obstacle(_ pattern: PeerPattern) -> String? {
        guard let peer = pointer(for: pattern)?.pointee else {
            return pattern.kind == .oneWay && pattern.writers == 1 && !pattern.polls ? nil : "it only copies"
        }
        let limits = peer.limits
        func reason(_ applies: Bool, _ text: UnsafePointer<CChar>?) -> String? { applies ? text.map { String(cString: $0) } : nil }
        if pattern.polls, !peer.polls { return "it cannot poll" }
        if let ownSides, ownSides(pattern.kind) == nil { return NIOPeer.whyNot }
        if limits.bytes_max != 0, pattern.bytes > limits.bytes_max { return "its messages have at most \(limits.bytes_max) bytes" }
        if pattern.kind == .open, peer.open == nil { return "nothing is opened: both sides inherit it" }
        return reason(pattern.kind != .roundTrip, limits.no_queueing)
            ?? reason(pattern.sleeps, limits.no_sleeping)
            ?? reason(pattern.writers > 1, limits.one_writer)
            ?? reason(pattern.bytes == 0, limits.no_empty_messages)
            ?? reason(pattern.kind == .open, limits.no_reopening)
    }
}
