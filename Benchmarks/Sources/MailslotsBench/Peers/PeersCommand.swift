import ArgumentParser
import CBenchmarks
import Foundation

struct PeersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peers",
        abstract: "Measures mailslots side by side with other ways to hand messages from one process to another.",
        discussion: """
            Of each pattern a table, from the fastest to the slowest: who stands above CMailslots beats it. Everything is kept in a \
            folder: results.json, results.csv, and report.html with pictures. See Benchmarks/README.md.

            With --check it says of each goal whether it was reached, and by how much; on a busy machine that means nothing.

            Exits with 1 if somebody's measurement failed (the others' are there) or, with --check, a goal is missed or none could be \
            judged, with 2 if the report could not be drawn, with 128 \
            and the number of the signal if a signal ended it; what was measured until then is kept.
            """)

    @OptionGroup var extent: Extent

    @Option(parsing: .upToNextOption, help: "Only these, by the names that --list says. CMailslots is always measured.")
    var only: [String] = []

    @Option(
        parsing: .upToNextOption,
        help: "Only these patterns, by the names that --list says, or by how they begin, as in: round-trip paced-10000.")
    var patterns: [String] = []

    @Option(help: "The folder for the results. Default: results-DATE-TIME here.")
    var output: String?

    @Flag(help: "Add rounds and patterns to the results that the folder has.")
    var append = false

    @Option(help: "How many minutes it may take, about. Default: 13, with --quick 1.6.")
    var minutes: Double?

    @Option(help: "In the paced patterns the reader stops once for so many milliseconds: to see that this is in the figures.")
    var stall = 0

    @Flag(help: "Judge the goals, and exit with 1 if one is missed. On a quiet machine. What a missing peer is needed for is skipped.")
    var check = false

    @Flag(help: "Say which contenders and patterns there are, and measure nothing.")
    var list = false

    func validate() throws {
        let known = Contender.all + Contender.pollings
        for name in only where !(known + Contender.broken).contains(where: { $0.name == name }) {
            throw ValidationError("There is no \(name). There are: \(known.map(\.name).joined(separator: ", ")).")
        }
        for prefix in patterns where !PeerPattern.all.contains(where: { $0.id.hasPrefix(prefix) }) {
            throw ValidationError("There is no pattern \(prefix). There are: \(PeerPattern.all.map(\.id).joined(separator: ", ")).")
        }
        guard minutes ?? 1 > 0 else { throw ValidationError("--minutes wants more than 0.") }
        guard 0...1000 ~= stall else { throw ValidationError("--stall wants 0 to 1000.") }
        if append, output == nil { throw ValidationError("--append wants an --output that has results.") }
    }

    private var contenders: [Contender] {
        if only.isEmpty { return Contender.all }
        let known = Contender.all + Contender.pollings + Contender.broken
        return known.filter { only.contains($0.name) || $0.name == Contender.baseline.name }
    }

    private var selectedPatterns: [PeerPattern] {
        patterns.isEmpty
            ? PeerPattern.all.filter { $0.isQuick || !extent.quick }
            : PeerPattern.all.filter { pattern in
                patterns.contains { chosen in
                    pattern.id == chosen || pattern.id.hasPrefix(chosen) && !PeerPattern.all.contains { $0.id == chosen }
                }
            }
    }

    func run() throws {
        if list {
            showList()
            return
        }
        let folder = ResultsFolder(output ?? "results-" + Self.now.replacing(":", with: "").replacing(" ", with: "-"))
        if folder.hasResults, !append { throw ResultsFolder.Failure.exists(folder.url.path) }
        var results = append && folder.hasResults ? try folder.load() : Results()
        try folder.prepare()
        Leftovers.remove()
        bench_catch_signals()
        let failure = try measure(into: &results, folder)
        results.show()
        let isGood = !check || results.judgeGoals()
        print("\nKept in \(folder.url.path)")
        let isDrawn = failure == nil && folder.draw()
        if isDrawn { print("Pictures in \(folder.html.path)") }
        if case .interrupted(let signal) = failure { throw ExitCode(128 + signal) }
        if let failure { throw failure }
        if results.absences.contains(where: \.failed) || !isGood { throw ExitCode(1) }
        if !isDrawn { throw ExitCode(2) }
    }

    /// What ended it before its time.
    private func measure(into results: inout Results, _ folder: ResultsFolder) throws -> BenchmarkFailure? {
        let cpus = try extent.cpuNumbers
        let rounds = extent.rounds ?? (extent.quick ? 2 : 5)
        let session = results.sessions.count
        results.sessions.append(
            Results.Session(
                number: session, begun: Self.now, ended: "", command: CommandLine.arguments.joined(separator: " "), cpus: cpus,
                rounds: rounds, quick: extent.quick, loadBefore: Machine.load, loadAfter: "", machine: Machine().facts(cpus: cpus)))
        for contender in contenders { results.add(contender) }
        print(Machine().summary(cpus: cpus))
        var comparison = Comparison(
            run: try Run(cpus: cpus), patterns: selectedPatterns, contenders: contenders.filter { $0.missing == nil }, rounds: rounds,
            minutes: minutes ?? (extent.quick ? 1.6 : 13), stallNanoseconds: UInt64(stall) * 1_000_000, session: session,
            firstRound: results.nextRound)
        func save(_ results: Results) throws {
            var results = results
            results.sessions[session].ended = Self.now
            results.sessions[session].loadAfter = Machine.load
            try folder.save(results)
        }
        do {
            try comparison.run(into: &results, save: save)
        } catch let failure as BenchmarkFailure {
            try save(results)
            return failure
        }
        return nil
    }

    private func showList() {
        print("Contenders:")
        for contender in Contender.all {
            let version = contender.version.map { " \($0)" } ?? ""
            print("  \(contender.name)\(version): \(contender.missing.map { "not here: \($0)" } ?? contender.settings)")
        }
        print("Patterns, with a + those of --quick:")
        for pattern in PeerPattern.all { print("  \(pattern.id)\(pattern.isQuick ? " +" : ""): \(pattern.title)") }
    }

    static var now: String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "yyyy-MM-dd HH:mm:ss"
        return formatter.string(from: Date())
    }
}
