import ArgumentParser
import CBenchmarks

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

@main
struct MailslotsBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mailslots-bench",
        abstract: "Measures mailslots between two pinned processes, against a bare ring in the same run.",
        discussion: """
            Every comparison alternates, A B B A, and is judged by the median of the ratios pair by pair: on a shared machine \
            the figures themselves are noise. See Benchmarks/README.md.
            """)

    @Flag(help: "Exit with 1 if a bound is missed or a comparison is void.")
    var check = false

    @Flag(help: "Fewer and shorter rounds: some 20 seconds in all.")
    var quick = false

    @Option(help: "Pairs a comparison. Default: 31, or 9 with --quick.")
    var rounds: Int?

    @Option(help: "The two CPUs, as in 0,1.")
    var cpus = "0,1"

    @Option(name: .customLong("only"), parsing: .upToNextOption, help: "Only these.")
    var selected: [Benchmark] = []

    func validate() throws {
        guard let (first, second) = cpuPair else { throw ValidationError("--cpus wants two different numbers, as in 0,1.") }
        guard bench_may_use_cpu(first), bench_may_use_cpu(second) else {
            throw ValidationError("This process may not run on CPUs \(first) and \(second). Two are needed, one for each process.")
        }
        guard rounds ?? 1 >= 1 else { throw ValidationError("--rounds wants at least 1.") }
    }

    private var cpuPair: (UInt32, UInt32)? {
        let numbers = cpus.split(separator: ",").compactMap { UInt32($0) }
        return numbers.count == 2 && numbers[0] != numbers[1] ? (numbers[0], numbers[1]) : nil
    }

    func run() throws {
        guard let pair = cpuPair else { return }
        print(Machine.describe(cpus: pair))
        var session = Session(run: try Run(cpus: pair), rounds: rounds ?? (quick ? 9 : 31), quick: quick)
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
