// A process that tests start to see what a message costs beside time: allocations and system calls, while nobody sleeps.
// Prints a line "NAME allocations A systemCalls S messages M" for each way of sending.
// With `hold N` it has N small mailslots instead, says "ready", and waits to be killed.

import CCounting
import Glibc
import Mailslots

/// Writes and reads `messages` messages in one of the ways.
struct Way {
    let name: String
    let run: @convention(c) () -> Void
}

let messages = 20_000
let bytes = [UInt8](repeating: 7, count: 32)
let line = "> a line of text, 32 bytes of it ."

/// A mailslot with both its ends, used once already: what is lazily set up is set up.
func withWarmEnds(_ body: (inout MailslotReader, inout MailslotWriter) throws -> Void) {
    do {
        let name = "probe/\(getpid())"
        var reader = try Mailslot.create(name, capacity: 64)
        var writer = try Mailslot.open(name)
        for _ in 0..<200 {
            try writer.write(bytes)
            try writer.write("short")
            try writer.write(line.dropFirst(2))
            _ = try reader.withMessages(atMost: 3, timeout: .now) { _, _ in }
            try writer.write(bytes)
            _ = try reader.read(timeout: .now)
        }
        startCounting()
        try body(&reader, &writer)
        stopCounting()
    } catch {
        fatalError("\(error)")
    }
}

nonisolated(unsafe) var allocationsAtStart = 0
nonisolated(unsafe) var allocationsCounted = 0

func startCounting() {
    ccounting_mark()
    unsafe allocationsAtStart = ccounting_allocations()
}
func stopCounting() {
    unsafe allocationsCounted = ccounting_allocations() - allocationsAtStart
    ccounting_mark()
}

let ways = [
    Way(name: "tryWrite+read") {
        withWarmEnds { reader, writer in
            for _ in 0..<messages {
                guard try writer.tryWrite(bytes) == .written, try reader.read(timeout: .now) != nil else { fatalError("lost") }
            }
        }
    },
    Way(name: "write+withMessage") {
        withWarmEnds { reader, writer in
            for _ in 0..<messages {
                try writer.write(bytes)
                guard try reader.withMessage({ bytes, _ in bytes.byteCount }) == 32 else { fatalError("lost") }
            }
        }
    },
    Way(name: "loan+withMessages") {
        withWarmEnds { reader, writer in
            for _ in 0..<(messages / 10) {
                for _ in 0..<10 { try writer.write(capacity: 32) { slot in slot.append(UInt8(1)) } }
                var count = 0
                while count < 10 { count += try reader.withMessages(atMost: 64) { _, _ in } }
            }
        }
    },
    Way(name: "text+withMessage") {
        withWarmEnds { reader, writer in
            for _ in 0..<messages {
                guard try writer.tryWrite("short") == .written, try writer.tryWrite(line.dropFirst(2)) == .written else {
                    fatalError("full")
                }
                guard try reader.withMessage({ bytes, _ in bytes.byteCount }) == 5 else { fatalError("lost") }
                guard try reader.withMessage({ bytes, _ in bytes.byteCount }) == 32 else { fatalError("lost") }
            }
        }
    },
    // The counters must be able to see: this way allocates, and calls the system, for each message.
    Way(name: "control") {
        withWarmEnds { reader, writer in
            for index in 0..<messages {
                try writer.write([UInt8](repeating: UInt8(truncatingIfNeeded: index), count: 32 + index % 7))
                _ = try reader.read(timeout: .now).map { [UInt8]($0) }
                if reader.info.messageCount != 0 || getpid() == 0 { fatalError("lost") }
            }
        }
    },
]

final class Held {
    let reader: MailslotReader
    init(_ reader: consuming MailslotReader) { self.reader = reader }
}

func hold(_ count: Int) {
    do {
        let held = try (0..<count).map { Held(try Mailslot.create("many/\($0)", capacity: 1, maximumWriters: 1)) }
        print("ready")
        fflush(nil)
        withExtendedLifetime(held) { while true { pause() } }
    } catch {
        fatalError("\(error)")
    }
}

@main
struct Probe {
    static func main() {
        if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "hold", let count = Int(CommandLine.arguments[2]) { hold(count) }
        for way in ways {
            let systemCalls = ccounting_system_calls(way.run)
            way.run()
            let allocations = ccounting_can_count_allocations() ? "\(unsafe allocationsCounted)" : "unknown"
            print("\(way.name) allocations \(allocations) systemCalls \(systemCalls) messages \(messages)")
        }
    }
}
