import ArgumentParser
import CBenchmarks

/// Another way to hand messages from one process to another, or our own.
struct Peer {
    let pointer: UnsafePointer<bench_peer>

    var name: String { String(cString: pointer.pointee.name) }
    var settings: String { String(cString: pointer.pointee.settings) }
    /// What to do to have it measured; nil: it is here.
    var missing: String? { pointer.pointee.missing.map { String(cString: $0) } }
    var polls: Bool { pointer.pointee.polls }

    static var mailslot: Peer { Peer(pointer: bench_peer_ours()) }
    static var others: [Peer] { (0..<bench_peer_count()).map { Peer(pointer: bench_peer_at($0)) } }
}

struct Peers: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures other ways to hand messages from one process to another, each in turn with a mailslot.",
        discussion: """
            Of each pattern a table, from the fastest to the slowest: who stands above the mailslot beats it. \
            See Benchmarks/README.md.
            """)

    @OptionGroup var extent: Extent

    @Option(parsing: .upToNextOption, help: "Only these peers, by the names that the table has.")
    var only: [String] = []

    @Option(help: "Write the figures of every single measurement there.")
    var csv: String?

    func validate() throws {
        for name in only where !Peer.others.contains(where: { $0.name == name }) {
            throw ValidationError("There is no peer \(name). There are: \(Peer.others.map(\.name).joined(separator: ", ")).")
        }
    }

    func run() throws {
        let pair = try extent.cpuPair
        let selected = only.isEmpty ? Peer.others : Peer.others.filter { only.contains($0.name) }
        let present = selected.filter { $0.missing == nil }
        print(Machine.describe(cpus: pair))
        for peer in [Peer.mailslot] + present { print("  \(peer.name): \(peer.settings)") }
        for peer in selected {
            if let missing = peer.missing { print("  \(peer.name): not measured; \(missing)") }
        }

        let raw = try csv.map { try RawFigures(path: $0) }
        var failures: [String] = []
        let session = PeerSession(
            run: try Run(cpus: pair), rounds: extent.rounds ?? (extent.quick ? 3 : 9),
            milliseconds: extent.quick ? 30 : 250)
        for pattern in PeerPattern.all {
            let rivals = present.filter { $0.polls || !pattern.polls }
            if rivals.isEmpty { continue }
            var table = PeerTable(pattern, ourCallsPerMessage: try session.callsPerMessage(pattern, .mailslot))
            for peer in rivals {
                do {
                    let contest = try session.measure(pattern, peer)
                    try raw?.add(contest)
                    table.add(contest)
                } catch BenchmarkFailure.notMade(let what) {
                    print("\n\(pattern.title): \(what) is not measured, for the system refuses to make a channel.")
                } catch let failure as BenchmarkFailure {
                    failures.append("\(pattern.title): \(failure)")
                }
            }
            table.show()
        }
        if !failures.isEmpty {
            print("\nFailed:")
            for failure in failures { print("  \(failure)") }
            throw ExitCode(1)
        }
    }
}
