import ArgumentParser
import CBenchmarks

/// Before anybody is measured: whether what is sent arrives.
struct CheckPeers: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends 20000 messages of each length through the mailslot and each peer, and compares every byte.")

    @Option(parsing: .upToNextOption, help: "Only these peers, by the names that the table has.")
    var only: [String] = []

    @Option(help: "The two CPUs, as in 0,1.")
    var cpus = "0,1"

    func run() throws {
        var extent = Extent()
        extent.cpus = cpus
        let run = try Run(cpus: try extent.cpuPair)
        var failures = 0
        for peer in [Peer.mailslot] + Peer.others where only.isEmpty || only.contains(peer.name) {
            if let missing = peer.missing {
                print("skipped \(peer.name): \(missing)")
                continue
            }
            let complaints = complaints(of: peer, run)
            print(complaints.isEmpty ? "ok \(peer.name)" : "FAILED \(peer.name): \(complaints.joined(separator: "; "))")
            failures += complaints.isEmpty ? 0 : 1
        }
        if failures > 0 { throw ExitCode(1) }
    }

    private func complaints(of peer: Peer, _ run: Run) -> [String] {
        var complaints: [String] = []
        for polls in peer.polls ? [true, false] : [false] {
            for bytes: UInt32 in [0, 8, 32, 128, 424] where bytes > 0 || !peer.pointer.pointee.never_empty {
                do { try run.check(peer, messageBytes: bytes, polls: polls) } catch {
                    complaints.append("\(bytes) B, \(polls ? "polling" : "blocking"): \(error)")
                }
            }
        }
        return complaints
    }
}
