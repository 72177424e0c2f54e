import ArgumentParser
import CBenchmarks

@main
struct MailslotsBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mailslots-bench",
        abstract: "Measures mailslots between two pinned processes, against references and peers in the same run.",
        subcommands: [Bounds.self, Peers.self, Async.self, AsyncEcho.self],
        defaultSubcommand: Bounds.self)
}

/// How much to measure, and where.
struct Extent: ParsableArguments {
    @Flag(help: "Fewer and shorter rounds. Bounds: some 20 seconds in all; peers: less than 2 minutes.")
    var quick = false

    @Option(help: "Pairs a comparison. Default: 31, peers 9; with --quick 9, peers 3.")
    var rounds: Int?

    @Option(help: "The two CPUs, as in 0,1.")
    var cpus = "0,1"

    func validate() throws {
        let (first, second) = try cpuPair
        guard bench_may_use_cpu(first), bench_may_use_cpu(second) else {
            throw ValidationError("This process may not run on CPUs \(first) and \(second). Two are needed, one for each process.")
        }
        guard rounds ?? 1 >= 1 else { throw ValidationError("--rounds wants at least 1.") }
    }

    var cpuPair: (UInt32, UInt32) {
        get throws {
            let numbers = cpus.split(separator: ",").compactMap { UInt32($0) }
            guard numbers.count == 2, numbers[0] != numbers[1] else {
                throw ValidationError("--cpus wants two different numbers, as in 0,1.")
            }
            return (numbers[0], numbers[1])
        }
    }
}
