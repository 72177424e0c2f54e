// Starts servers and clients, kills and stops them at random, and sees to it that every call is accounted for: README.md.

import Foundation
import Mailslots
import TestProcesses
import TestRandomness

@main
struct Conductor {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        switch arguments.first {
        case "server":
            try await serve(arguments[2], holds: arguments.contains("--holds"), remotely: arguments.contains("--remotely"))
        case "remote-call": try await callRemotely(arguments[2], timeout: .milliseconds(Int(arguments[3])!), arguments[4])
        case "client":
            let client = try await Client(arguments[2].split(separator: ",").map(String.init))
            try await client.run(seed: UInt64(arguments[3])!)
        default:
            let options = Array(arguments)
            func option(_ name: String) -> UInt64? {
                options.firstIndex(of: name).flatMap { $0 + 1 < options.count ? UInt64(options[$0 + 1]) : nil }
            }
            let seed = option("--seed") ?? UInt64.random(in: 1...UInt64(UInt32.max))
            print("seed \(seed)")
            let soak = Soak(seed: seed, cancellations: Int(option("--cancellations") ?? 100_000))
            try await soak.run(seconds: Int(option("--seconds") ?? 20))
        }
    }
}

/// A process that is started again whenever it was killed.
final class Side {
    private let arguments: [String]
    private var process = Process()
    private var input = Pipe()
    private let output: URL
    private(set) var isStopped = false
    private(set) var kills = 0

    init(_ arguments: [String], output: URL) throws {
        self.arguments = arguments
        self.output = output
        guard FileManager.default.createFile(atPath: output.path, contents: nil) else { throw CocoaError(.fileWriteUnknown) }
        try start()
    }

    private func start() throws {
        process = Process()
        input = Pipe()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = arguments
        process.standardInput = input
        // What it says is kept through its restarts.
        let handle = try FileHandle(forWritingTo: output)
        try handle.seekToEnd()
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
    }

    var id: Int32 { process.processIdentifier }
    var text: String { (try? String(contentsOf: output, encoding: .utf8)) ?? "" }
    var hasEndedByItself: Bool { !process.isAlive }

    func killAndRestart() throws {
        cont()
        kill(process.processIdentifier, SIGKILL)
        try process.waitUntilExit(upTo: .seconds(30))
        kills += 1
        try start()
    }

    func stop() {
        kill(process.processIdentifier, SIGSTOP)
        isStopped = true
    }

    func cont() {
        kill(process.processIdentifier, SIGCONT)
        isStopped = false
    }

    /// A client: whether it ends by itself when it is told to.
    func endsWhenTold() -> Bool {
        cont()
        try? input.fileHandleForWriting.close()
        return process.hasEnded(within: .seconds(30)) && process.terminationStatus == 0
    }

    func end() { process.killWithGroup() }
}

struct Soak {
    private let seed: UInt64
    private let cancellations: Int
    private let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "mailslots-requests-\(getpid())")

    init(seed: UInt64, cancellations: Int) {
        self.seed = seed
        self.cancellations = cancellations
    }

    func run(seconds: Int) async throws {
        var generator = SeededGenerator(seed: seed)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await Cancellations(count: cancellations, folder: folder).run(seed: seed)
        let names = ["soak-requests/\(getpid())/a", "soak-requests/\(getpid())/b"]
        let servers = try names.enumerated().map { index, name in
            try Side(["server", name], output: folder.appending(path: "server\(index)"))
        }
        let clients = try (0..<3).map { index in
            try Side(
                ["client", names.joined(separator: ","), "\(seed &+ UInt64(100 * (index + 1)))"],
                output: folder.appending(path: "client\(index)"))
        }
        defer {
            for side in servers + clients { side.end() }
            for name in names { try? Mailslot.remove(name) }
        }
        let end = ContinuousClock.now + .seconds(seconds)
        var deeds = [0, 0, 0]
        while ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(Int.random(in: 1...60, using: &generator)))
            for side in clients + servers where side.hasEndedByItself && !side.isStopped { fail("a process has ended: \(side.text)") }
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<2:
                try clients.randomElement(using: &generator)!.killAndRestart()
                deeds[0] += 1
            case 2..<5:
                try servers.randomElement(using: &generator)!.killAndRestart()
                deeds[1] += 1
            default:
                let side = (clients + servers).randomElement(using: &generator)!
                side.stop()
                try await Task.sleep(for: .milliseconds(Int.random(in: 1...200, using: &generator)))
                side.cont()
                deeds[2] += 1
            }
        }
        for side in servers + clients { side.cont() }
        try await checkThatAllIsWell(names)
        for client in clients where !client.endsWhenTold() { fail("a client did not end: \(client.text)") }
        for side in servers + clients where side.text.contains("VIOLATION") { fail(side.text) }
        for client in clients { print(client.text.split(separator: "\n").last.map { String($0) } ?? "") }
        print("killed \(deeds[0]) clients and \(deeds[1]) servers, stopped \(deeds[2]) of them")
        try checkThatNothingIsLeft()
    }

    private func checkThatAllIsWell(_ names: [String]) async throws {
        let client = try MailslotClient()
        for name in names {
            let caller = try await client.open(name, waitingUpTo: .seconds(30), onServerDeath: .wait)
            let answer = try await caller.call([200], timeout: .seconds(30))
            if [UInt8](answer) != [200] + Array(name.utf8) { fail("\(name) answers wrongly when all is quiet") }
        }
    }

    /// A new client is what makes a server look for dead ones: each opens as many as there are.
    private func checkThatNothingIsLeft() throws {
        let left = try Mailslot.names().filter { $0.hasPrefix("answers/") }
        let dead = left.filter { (try? Mailslot.info(of: $0).hasReader) == false }
        for name in dead { try? Mailslot.remove(name) }
        print("\(dead.count) mailslots of killed clients were left for the next server to find")
    }
}
