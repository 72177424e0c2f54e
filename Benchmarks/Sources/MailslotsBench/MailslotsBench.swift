import ArgumentParser
import CBenchmarks

@main
struct MailslotsBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mailslots-bench",
        abstract: "Measures mailslots between two pinned processes, against references and peers in the same run.",
        subcommands: [
            Bounds.self, Guard.self, PeersCommand.self, CheckCommand.self, ReportCommand.self, BridgeCommand.self, BridgeSide.self,
            TransportsCommand.self, Async.self, AsyncEcho.self, AsyncPeer.self, Requests.self, RequestsEcho.self, DistributedCalls.self,
            DistributedEcho.self,
        ],
        defaultSubcommand: Bounds.self)
}

/// How much to measure, and where.
struct Extent: ParsableArguments {
    @Flag(help: "Fewer and shorter rounds. Bounds: some 20 seconds; peers: less than 2 minutes, and fewer patterns; bridge: 40 seconds.")
    var quick = false

    @Option(help: "Pairs a comparison; with peers and bridge rounds of all. Default: 31, peers and bridge 5; with --quick 9 and 2.")
    var rounds: Int?

    @Option(help: "The CPUs, as in 0,1: the first side's, and the second's. More are for further writers of peers.")
    var cpus = "0,1"

    func validate() throws {
        for cpu in try cpuNumbers where !bench_may_use_cpu(cpu) {
            throw ValidationError("This process may not run on CPU \(cpu). Two are needed, one for each process.")
        }
        guard rounds ?? 1 >= 1 else { throw ValidationError("--rounds wants at least 1.") }
    }

    var cpuNumbers: [UInt32] {
        get throws {
            let texts = cpus.split(separator: ",", omittingEmptySubsequences: false)
            let numbers = texts.compactMap { UInt32($0) }
            guard numbers.count == texts.count, 2...Int(BENCH_CPUS_MAX) ~= numbers.count, Set(numbers).count == numbers.count else {
                throw ValidationError("--cpus wants two or more different numbers, as in 0,1.")
            }
            return numbers
        }
    }
}
