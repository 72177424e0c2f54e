import Foundation
import TestProcesses
import TestSupport
import Testing

@testable import MailslotsWire

/// The tests of the datagram engines are a C program, as those of the core are. Here each of them is a test of its own.
@Suite(.blocking) struct DatagramTests {
    static let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        .appending(path: "mailslots-datagram-tests")
    static let names = (try? run(["--list"]).text.split(separator: "\n").map(String.init)) ?? []

    static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> (status: Int32, text: String) {
        let process = Process()
        let output = try TemporaryFolder()
        let file = try output.write("", to: "output")
        let handle = try FileHandle(forWritingTo: URL(filePath: file))  // no pipe: it would wait for whoever inherits it
        process.executableURL = program
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        try process.waitUntilExit(upTo: .seconds(600))
        return (process.terminationStatus, try String(contentsOfFile: file, encoding: .utf8))
    }

    @Test func `the engines have their tests`() {
        #expect(Self.names.count > 60, "\(Self.program.path) --list names too few tests")
    }

    @Test(.serialized, arguments: names)
    func datagram(test: String) throws {
        let result = try Self.run([test])

        if let line = result.text.split(separator: "\n").first(where: { $0.hasPrefix("skipped ") }) { try Test.cancel("\(line)") }
        #expect(result.status == 0, "\(result.text)")
    }
}
