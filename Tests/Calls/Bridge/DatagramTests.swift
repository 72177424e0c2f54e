import Foundation
import Testing

@testable import MailslotsWire

/// The tests of the datagram engines are a C program, as those of the core are. Here each of them is a test of its own.
@Suite struct DatagramTests {
    static let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        .appending(path: "mailslots-datagram-tests")
    static let names = (try? run(["--list"]).text.split(separator: "\n").map(String.init)) ?? []

    static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> (status: Int32, text: String) {
        let process = Process()
        let output = Pipe()
        process.executableURL = program
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: text, as: UTF8.self))
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
