import Foundation

/// Where the figures are kept: results.json with everything, results.csv with a line a measurement, report.html with pictures.
struct ResultsFolder {
    let url: URL

    enum Failure: Error, CustomStringConvertible {
        case otherFormat(String)
        case exists(String)

        var description: String {
            switch self {
            case .otherFormat(let path): "\(path) is not what this version of the program writes."
            case .exists(let path): "\(path) has results already. With --append rounds are added to them."
            }
        }
    }

    init(_ path: String) { url = URL(filePath: path) }

    private var json: URL { url.appending(path: "results.json") }
    private var csv: URL { url.appending(path: "results.csv") }
    var html: URL { url.appending(path: "report.html") }

    var hasResults: Bool { FileManager.default.fileExists(atPath: json.path) }

    func load() throws -> Results {
        let data = try Data(contentsOf: json)
        guard let results = try? JSONDecoder().decode(Results.self, from: data), results.format == Results.format else {
            throw Failure.otherFormat(json.path)
        }
        return results
    }

    /// Before anything is measured: what cannot be kept need not be.
    func prepare() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    func save(_ results: Results) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try encoder.encode(results).write(to: json, options: .atomic)
        try Data(lines(results).utf8).write(to: csv, options: .atomic)
    }

    private func lines(_ results: Results) -> String {
        var text =
            "pattern,contender,round,samples,p50_ns,p90_ns,p99_ns,p99.9_ns,max_ns,mean_ns,messages_a_second,lost,unsent,"
            + "cpu_writers_ns,cpu_reader_ns,cpu_server_ns,cpu_second_server_ns\n"
        for m in results.measurements {
            let times = [m.p50, m.p90, m.p99, m.p999, m.max, m.mean].map { $0.text(1) }
            let rest = [m.messagesASecond?.text(0) ?? "", m.lost.text(4), m.unsent.text(4)] + (m.cpu ?? []).map { $0.text(1) }
            let padding = Array(repeating: "", count: 4 - (m.cpu?.count ?? 0))
            text += ([m.pattern, m.contender, "\(m.round)", "\(m.samples)"] + times + rest + padding).joined(separator: ",") + "\n"
        }
        return text
    }

    /// Draws report.html. False: it cannot be drawn here; why is said on standard error, by who draws.
    func draw() -> Bool {
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../Report").standardizedFileURL
        // A python3 that comes first in the path may not be the one that Debian's matplotlib is for.
        let pythons = ["python3", "/usr/bin/python3"]
        let python = pythons.first { run([$0, "-c", "import matplotlib"], errors: .nullDevice) } ?? pythons[0]
        return run([python, script.path, url.path], errors: .standardError)
    }

    private func run(_ command: [String], errors: FileHandle) -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = FileHandle.standardError
        process.standardError = errors
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
