import ArgumentParser

enum Benchmark: String, CaseIterable, ExpressibleByArgument {
    case roundTrip = "round-trip"
    case oneWay = "one-way"
    case wake
    case swift
    case open
    case memory
    case count
    case pipe
}

struct Bounds: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures against a bare ring and other references, and says which bounds are kept. The default.",
        discussion: """
            Every comparison alternates, A B B A, and is judged by the median of the ratios pair by pair: on a shared machine \
            the figures themselves are noise. See Benchmarks/README.md.
            """)

    @Flag(help: "Exit with 1 if a bound is missed or a comparison is void.")
    var check = false

    @OptionGroup var extent: Extent

    @Option(name: .customLong("only"), parsing: .upToNextOption, help: "Only these.")
    var selected: [Benchmark] = []

    func run() throws {
        let cpus = try extent.cpuNumbers
        print(Machine().summary(cpus: cpus))
        var session = Session(run: try Run(cpus: cpus), rounds: extent.rounds ?? (extent.quick ? 9 : 31), quick: extent.quick)
        for benchmark in selected.isEmpty ? Benchmark.allCases : selected {
            print("")
            switch benchmark {
            case .roundTrip: try session.roundTrip()
            case .oneWay: try session.oneWay()
            case .wake: try session.wake()
            case .swift: try session.swift()
            case .open: try session.open()
            case .memory: session.memory()
            case .count: try session.count()
            case .pipe: try session.pipe()
            }
        }
        print("")
        if session.report.missed.isEmpty {
            print("Every bound is kept.")
        } else {
            print("Missed: \(session.report.missed.joined(separator: "; ")).")
            if check { throw ExitCode(1) }
        }
    }
}
