import ArgumentParser
import CBenchmarks

/// Before anybody is measured: whether what is sent arrives.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-peers",
        abstract: "Sends 20000 messages of each length through everybody, and compares every byte.",
        discussion: "Says what is not here, and how to install it. Exits with 1 if a message came twice, late, in pieces or not at all.")

    @OptionGroup var extent: Extent

    @Option(parsing: .upToNextOption, help: "Only these, by the names that peers --list says.")
    var only: [String] = []

    func run() throws {
        Leftovers.remove()
        bench_catch_signals()
        let run = try Run(cpus: try extent.cpuNumbers)
        var failed = 0
        for contender in Contender.all + Contender.broken where asked(for: contender) {
            guard let peer = contender.pointer else { continue }
            if let missing = contender.missing {
                print("skipped \(contender.name): \(missing)")
                continue
            }
            let complaints = try complaints(about: contender, peer, run)
            print(complaints.isEmpty ? "ok \(contender.name)" : "FAILED \(complaints.joined(separator: "; "))")
            failed += complaints.isEmpty ? 0 : 1
        }
        if failed > 0 { throw ExitCode(1) }
    }

    /// Of those that can move any message; who fails on purpose, only by name.
    private func asked(for contender: Contender) -> Bool {
        only.isEmpty
            ? contender.role != .reference && !Contender.broken.contains { $0.name == contender.name } : only.contains(contender.name)
    }

    private func complaints(about contender: Contender, _ peer: UnsafePointer<bench_peer>, _ run: Run) throws -> [String] {
        var complaints: [String] = []
        for polls in peer.pointee.polls ? [true, false] : [false] {
            for bytes: UInt32 in [0, 8, 32, 128, 424] where bytes > 0 || peer.pointee.limits.no_empty_messages == nil {
                do {
                    try run.check(contender.name, peer, messageBytes: bytes, polls: polls, contender.checkSides)
                } catch let failure as BenchmarkFailure {
                    if case .interrupted(let signal) = failure { throw ExitCode(128 + signal) }
                    complaints.append("\(failure) (\(bytes) B, \(polls ? "polling" : "blocking"))")
                }
            }
        }
        return complaints
    }
}
