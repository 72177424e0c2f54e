import ArgumentParser
import CMailslotsCommand
import Foundation
import Mailslots
import MailslotsProgram

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See it work: processes exchange messages, one is killed, and what was measured.",
        discussion: "Runs for about five seconds. Needs nothing and leaves nothing behind.")

    func run() throws {
        try reportingErrors {
            try showMessages()
            try showKill()
            try showMeasurements()
        }
    }

    /// A name of this run's own, so that two demos do not meet.
    static func name(_ part: String) -> String { "demo/\(getpid())/\(part)" }

    // MARK: messages

    private func showMessages() throws {
        let name = Self.name("orders")
        var reader = try Mailslot.create(name)
        print("1. Process \(getpid()) reads the mailslot \"\(name)\". Three processes write to it.\n")
        let writers = try (1...3).map { try Part.start("greet", name, "\($0)") }
        try printMessages(of: &reader, count: 3 * Greeting.count)
        try writers.forEach { try $0.waitForSuccess() }
    }

    private func printMessages(of reader: inout MailslotReader, count: Int) throws {
        for _ in 0..<count {
            guard let message = try reader.read(timeout: .seconds(10)) else { throw DemoError("no message came within 10 seconds") }
            print("   from process \(message.info.senderProcessID): \(message.text)")
        }
    }

    // MARK: kill

    private func showKill() throws {
        let name = Self.name("kill")
        var reader = try Mailslot.create(name)
        print("\n2. A writer is killed (kill -9) while it fills a message in place. Another goes on.\n")

        let victim = try Part.start("hold", name)
        try victim.waitForLine()
        print("   process \(victim.id) holds a loan, half filled")
        victim.kill()
        print("   process \(victim.id) is dead")
        let other = try Part.start("greet", name, "2")
        try printMessages(of: &reader, count: Greeting.count)
        try other.waitForSuccess()
        let info = reader.info
        print(
            "   \(info.messagesWritten) written, \(info.messagesRead) read, \(info.messageCount) waiting: "
                + "its half message never was, and nobody waited")
    }

    // MARK: measurements

    private func showMeasurements() throws {
        print("\n3. Measured here, between two processes (\(ProcessInfo.processInfo.activeProcessorCount) processors allowed):\n")
        let bench = Measurements(sizes: [32, Mailslot.maximumMessageSize], roundTrips: 300_000, duration: .seconds(1))
        print(try bench.text().split(separator: "\n").map { "   \($0)" }.joined(separator: "\n"))
        print("\nNext: mailslot read orders, and in another terminal: mailslot write orders hello")
    }
}

/// What the other processes of `demo`, `bench` and `doctor` do.
struct DemoPart: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "demo-part", shouldDisplay: false)

    @Argument var role: String
    @Argument var arguments: [String]

    func run() throws {
        try reportingErrors {
            switch (role, arguments.count) {
            case ("greet", 2): try greet(arguments[0], number: arguments[1])
            case ("hold", 1): try hold(arguments[0])
            case ("echo", 2): try echo(arguments[0], arguments[1])
            case ("flood", 3): try flood(arguments[0], size: Int(arguments[1]) ?? 0, seconds: Double(arguments[2]) ?? 0)
            case ("die", 2): try publishAndDie(arguments[0], whenAsleep: Int32(arguments[1]) ?? 0)
            default: throw ValidationError("demo-part is for the program's own use.")
            }
        }
    }

    private func greet(_ name: String, number: String) throws {
        var out = try Mailslot.open(name)
        for text in Greeting.texts { try out.write("writer \(number) says \(text)") }
    }

    private func hold(_ name: String) throws {
        var out = try Mailslot.open(name)
        try out.write(capacity: 100) { slot in
            for _ in 0..<50 { slot.append(UInt8(ascii: "?")) }
            print("holding")
            fflush(nil)
            _ = readLine()  // nothing is ever sent; if the demo dies, the input ends
        }
    }

    private func echo(_ pings: String, _ pongs: String) throws {
        var reader = try Mailslot.create(pings)
        var writer = try Mailslot.open(pongs, prefaulting: true)
        while let count = try reader.withMessage(
            timeout: .seconds(10),
            { bytes, _ in
                if bytes.byteCount != 0 { try writer.write(bytes) }
                return bytes.byteCount
            }), count != 0
        {}
    }

    private func flood(_ name: String, size: Int, seconds: Double) throws {
        var out = try Mailslot.open(name, prefaulting: true)
        let message = [UInt8](repeating: 7, count: size)
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            for _ in 0..<10_000 { try out.write(message) }
        }
        try out.write(RawSpan())
    }

    private func publishAndDie(_ name: String, whenAsleep reader: Int32) throws {
        throw DemoError("it did not die: \(unsafe command_publish_and_die(name, reader))")
    }
}

private enum Greeting {
    static let texts = ["hello", "how are you?", "goodbye"]
    static var count: Int { texts.count }
}

struct DemoError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A process that plays a part for `demo`, `bench` or `doctor`.
struct Part {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let role: String

    static func start(_ role: String, _ arguments: String...) throws -> Part {
        let part = Part(role: role)
        part.process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        part.process.arguments = ["demo-part", role] + arguments
        part.process.standardInput = part.input
        part.process.standardOutput = part.output
        try part.process.run()
        return part
    }

    private init(role: String) { self.role = role }

    var id: Int32 { process.processIdentifier }

    func waitForLine() throws {
        if output.fileHandleForReading.availableData.isEmpty { throw DemoError("the part \"\(role)\" ended too early") }
    }

    func kill() {
        _ = Foundation.kill(id, SIGKILL)
        process.waitUntilExit()
    }

    func wait() { process.waitUntilExit() }

    func waitForSuccess() throws {
        process.waitUntilExit()
        if process.terminationStatus != 0 { throw DemoError("the part \"\(role)\" failed") }
    }
}
