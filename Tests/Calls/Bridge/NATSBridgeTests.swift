import Foundation
import TestProcesses
import TestSupport
import Testing

@testable import MailslotsBridge

/// Whole bridges as the program starts them, with NATS between them: each with a directory of mailslots, as if on a machine of its own.
@Suite(.blocking, .serialized, .enabled(if: NATSServer.obstacle == nil, "\(NATSServer.obstacle ?? "")")) struct NATSBridgeTests {
    /// A machine: a directory of mailslots, and the programs that run in it until this goes.
    final class Machine {
        private static let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "mailslot")
        let name: String
        let folder: URL
        private var processes: [Process] = []

        init(_ name: String) throws {
            self.name = name
            folder = URL(filePath: "/dev/shm/mailslots-nats-\(name)-\(UUID().uuidString)")
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }

        deinit {
            for process in processes where process.isRunning {
                process.terminate()
                if !process.hasEnded(within: .nanoseconds(Watchdog.nanoseconds)) { process.killWithGroup() }
            }
            try? FileManager.default.removeItem(at: folder)
        }

        /// Its output goes to a file.
        @discardableResult
        func start(_ arguments: [String], output: String) throws -> Process {
            let process = Process()
            process.executableURL = Self.program
            process.arguments = arguments
            process.environment = ProcessInfo.processInfo.environment.merging(["MAILSLOT_DIRECTORY": folder.path]) { $1 }
            let file = folder.appending(path: output)
            _ = FileManager.default.createFile(atPath: file.path, contents: nil)
            let handle = try FileHandle(forWritingTo: file)
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = handle
            process.standardError = handle
            try process.run()
            processes.append(process)
            return process
        }

        func output(_ name: String) -> String { (try? String(contentsOf: folder.appending(path: name), encoding: .utf8)) ?? "" }

        func bridge(key: String, server: String) throws {
            try start(["bridge", "--domain", "studio", "--key", key, "--host", name, "--nats", server], output: "bridge.log")
        }
    }

    @Test func `messages go from machine to machine, to one and to all, also when the server was away`() throws {
        let server = try NATSServer()
        let (here, there) = (try Machine("here"), try Machine("there"))
        let key = here.folder.appending(path: "studio.key").path
        try BridgeKey.random().write(toFile: key)
        for machine in [here, there] { try machine.bridge(key: key, server: server.address) }
        try there.start(["read", "--remote", "jobs"], output: "jobs")
        try here.start(["read", "--remote", "news"], output: "news")
        try there.start(["read", "--remote", "news"], output: "news")

        func write(_ text: String, to name: String) throws {
            let writing = try here.start(["write", "--wait", "30", name, text], output: "write")
            try writing.waitUntilExit(upTo: .nanoseconds(2 * Watchdog.nanoseconds))
            #expect(writing.terminationStatus == 0, "\(here.output("write")) \(here.output("bridge.log"))")
        }
        func arrives(_ text: String, at machine: Machine, in mailslot: String) throws {
            try waitUntil("\(text) is at \(machine.name): \(machine.output("bridge.log"))") { machine.output(mailslot).contains(text) }
        }
        try write("hello", to: #"\\there\mailslot\jobs"#)
        try arrives("hello", at: there, in: "jobs")
        // A writer waits for a bridge, not for who is at the other end: so it is written until it is read.
        for machine in [here, there] {
            try waitUntil("all hear it") {
                try write("to all", to: #"\\*\mailslot\news"#)
                return machine.output("news").contains("to all")
            }
        }

        server.kill()
        for machine in [here, there] {
            try waitUntil("\(machine.name) says it") { machine.output("bridge.log").contains("the connection is lost") }
        }
        try server.start()
        try waitUntil("it arrives again") {
            try write("again", to: #"\\there\mailslot\jobs"#)
            return there.output("jobs").contains("again")
        }
        for machine in [here, there] { #expect(machine.output("bridge.log").contains("NATS: connected to \(server.address)")) }
        server.stop()
    }
}
