import ArgumentParser
import CBenchmarks
import Foundation

struct BridgeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bridge",
        abstract: "Measures what goes through two bridges over loopback, against one call a message, NATS, and a local mailslot.",
        discussion: """
            Every message is sealed, and counts when it is read. Writer, two bridges and reader are processes that share the CPUs. As with \
            `peers` all are measured in turn, in rounds, and a folder keeps results.json and results.csv.
            """)

    @OptionGroup var extent: Extent

    @Option(parsing: .upToNextOption, help: "Only these, by the names that --list says. The first bridge is always measured.")
    var only: [String] = []

    @Option(parsing: .upToNextOption, help: "Only these patterns, by the names that --list says, or by how they begin.")
    var patterns: [String] = []

    @Option(help: "The folder for the results. Default: results-bridge-DATE-TIME here.")
    var output: String?

    @Option(help: "How many minutes it may take, about. Default: 4, with --quick 0.5.")
    var minutes: Double?

    @Flag(help: "Exit with 1 if a goal is missed. On a quiet machine.")
    var check = false

    @Flag(help: "Say which contenders and patterns there are, and measure nothing.")
    var list = false

    private static var everybody: [Contender] { Contender.bridges + Contender.bridgePeers }

    func validate() throws {
        for name in only where !Self.everybody.contains(where: { $0.name == name }) {
            throw ValidationError("There is no \(name). There are: \(Self.everybody.map(\.name).joined(separator: ", ")).")
        }
        for prefix in patterns where !PeerPattern.bridge.contains(where: { $0.id.hasPrefix(prefix) }) {
            throw ValidationError("There is no pattern \(prefix). There are: \(PeerPattern.bridge.map(\.id).joined(separator: ", ")).")
        }
        guard minutes ?? 1 > 0 else { throw ValidationError("--minutes wants more than 0.") }
    }

    private var contenders: [Contender] {
        only.isEmpty ? Self.everybody : Self.everybody.filter { only.contains($0.name) || $0.name == Self.everybody[0].name }
    }

    private var selectedPatterns: [PeerPattern] {
        patterns.isEmpty
            ? PeerPattern.bridge.filter { $0.isQuick || !extent.quick }
            : PeerPattern.bridge.filter { pattern in patterns.contains { pattern.id.hasPrefix($0) } }
    }

    func run() throws {
        if list {
            for contender in Self.everybody {
                print("  \(contender.name): \(contender.missing.map { "not here: \($0)" } ?? contender.settings)")
            }
            for pattern in PeerPattern.bridge { print("  \(pattern.id): \(pattern.title)") }
            return
        }
        let now = PeersCommand.now
        let folder = ResultsFolder(output ?? "results-bridge-" + now.replacing(":", with: "").replacing(" ", with: "-"))
        if folder.hasResults { throw ResultsFolder.Failure.exists(folder.url.path) }
        try folder.prepare()
        Leftovers.remove()
        bench_catch_signals()
        let cpus = try extent.cpuNumbers
        let rounds = extent.rounds ?? (extent.quick ? 2 : 5)
        print(Machine().summary(cpus: cpus))
        var results = Results()
        results.baseline = Self.everybody[0].name
        results.sessions = [
            Results.Session(
                number: 0, begun: now, ended: "", command: CommandLine.arguments.joined(separator: " "), cpus: cpus, rounds: rounds,
                quick: extent.quick, loadBefore: Machine.load, loadAfter: "", machine: Machine().facts(cpus: cpus))
        ]
        for contender in contenders { results.add(contender) }
        results.sealCosts = measureSealing(rounds: rounds)
        var comparison = Comparison(
            run: try Run(cpus: cpus), patterns: selectedPatterns, contenders: contenders.filter { $0.missing == nil }, rounds: rounds,
            minutes: minutes ?? (extent.quick ? 0.5 : 4), stallNanoseconds: 0, session: 0, firstRound: 0, countsCalls: false)
        try comparison.run(into: &results) { results in
            var results = results
            results.sessions[0].ended = PeersCommand.now
            results.sessions[0].loadAfter = Machine.load
            try folder.save(results)
        }
        results.show()
        results.showProcesses()
        results.showSealCosts()
        results.showParts()
        results.showGoals()
        print("\nKept in \(folder.url.path)")
        if results.absences.contains(where: \.failed) { throw ExitCode(1) }
        let isMissed = Goal.all.contains { goal in goal.ratios(in: results).map { $0.median < goal.atLeast } ?? true }
        if check, isMissed { throw ExitCode(1) }
    }

    private func measureSealing(rounds: Int) -> [SealCost] {
        let nanosecondsPerTick = 1e9 / bench_ticks_per_second()
        return SealCost.recordBytes.map { recordBytes in
            var cost = SealCost(recordBytes: recordBytes)
            // The first finds cold caches.
            for _ in 0...rounds { cost.measure(nanosecondsPerTick: nanosecondsPerTick) }
            cost.seal.removeFirst()
            cost.open.removeFirst()
            return cost
        }
    }
}
