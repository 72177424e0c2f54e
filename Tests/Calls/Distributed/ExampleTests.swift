import Foundation
import Mailslots
import TestProcesses
import TestSupport
import Testing

/// The example: a market of three processes.
@Suite(.blocking) struct ExampleTests {
    @Test func `a market of two processes and a watcher trades, and all three end`() throws {
        // Mailslots of its own, for the example has names of its own.
        let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "mailslots-market-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // The trader before the exchange: the order is none of theirs.
        let programs = try ["watcher", "trader", "exchange"].map { role in
            let process = Process()
            process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
                .appending(path: "mailslots-market")
            process.arguments = [role]
            process.environment = ProcessInfo.processInfo.environment.merging(["MAILSLOT_DIRECTORY": folder.path]) { $1 }
            let output = folder.appending(path: "\(role).txt")
            _ = FileManager.default.createFile(atPath: output.path, contents: nil)
            process.standardOutput = try FileHandle(forWritingTo: output)
            try process.run()
            return (process: process, output: output)
        }
        defer { for program in programs where program.process.isRunning { program.process.killWithGroup() } }
        for program in programs {
            try program.process.waitUntilExit(upTo: .seconds(60))
            #expect(program.process.terminationStatus == 0, "\(program.output.lastPathComponent)")
        }
        let outputs = try programs.map { try String(contentsOf: $0.output, encoding: .utf8) }
        #expect(outputs[0] == "seen: 3 ACME for alice at 99\nseen: 1 ACME for alice at 100\nclosed\n")
        #expect(outputs[1] == "bought 3 at 99\nbought 1 at 100\nrefused: onlyLeft(1)\n")
        #expect(outputs[2].isEmpty)
    }

    // MARK: the article

    private static let root = (1...4).reduce(URL(filePath: #filePath)) { url, _ in url.deletingLastPathComponent() }

    /// The lines between fences of a kind.
    private static func snippets(_ kind: String) throws -> [[String]] {
        let article = root.appending(path: "Sources/Mailslots/Mailslots.docc/DistributedActors.md")
        let parts = try String(contentsOf: article, encoding: .utf8).components(separatedBy: "```")
        return stride(from: 1, to: parts.count, by: 2).map { parts[$0].components(separatedBy: "\n") }
            .filter { $0.first == kind }.map { $0.dropFirst().dropLast() }
    }

    @Test func `what the article shows is the example, which is compiled`() throws {
        let example = try ["Market", "Actors"].map {
            try String(contentsOf: Self.root.appending(path: "Tests/Systems/Examples/swift/market/\($0).swift"), encoding: .utf8)
        }.joined().components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "\n")
        let snippets = try Self.snippets("swift")
        #expect(snippets.count >= 5)
        for snippet in snippets {
            let text = snippet.map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "\n")
            #expect(example.contains(text), "\(text)")
        }
    }

    @Test func `the commands of the article print what it says`() throws {
        let lines = try #require(Self.snippets("console").first)
        let commands = lines.filter { $0.hasPrefix("$ ") }.map { $0.dropFirst(2) }.joined(separator: "\n")
        let expected = lines.filter { !$0.hasPrefix("$ ") }.joined(separator: "\n") + "\n"
        let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "mailslots-article-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let programs = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/sh")
        shell.arguments = ["-c", "PATH=\(programs):$PATH\n\(commands)"]
        shell.environment = ProcessInfo.processInfo.environment.merging(["MAILSLOT_DIRECTORY": folder.path]) { $1 }
        shell.currentDirectoryURL = folder
        let output = folder.appending(path: "output.txt")
        _ = FileManager.default.createFile(atPath: output.path, contents: nil)
        shell.standardOutput = try FileHandle(forWritingTo: output)
        try shell.run()
        try shell.waitUntilExit(upTo: .seconds(60))
        #expect(try String(contentsOf: output, encoding: .utf8) == expected)
    }
}
