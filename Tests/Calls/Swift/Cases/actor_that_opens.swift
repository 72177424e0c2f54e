// An actor whose asynchronous initialiser opens and creates, which Swift 6.3.1's optimiser used to crash on ("While splitting coroutine").
import Mailslots

/// As large an error as ours, thrown by its type.
struct Refusal: Error {
    let text: String
    let number: Int?
    let cause: String
}

@inline(never) func checked(_ number: Int) throws(Refusal) -> Int {
    guard number > 0 else { throw Refusal(text: "not positive", number: number, cause: "a test") }
    return number
}

actor Calls {
    private var writer: MailslotValueWriter<UInt64>
    init() async throws {
        writer = try MailslotValueWriter<UInt64>(try await Mailslot.open("calls/requests", waitingUpTo: .seconds(10)))
        let replies = try Mailslot.create("calls/replies")
        keep(replies)
    }
    func call() throws { _ = try writer.tryWrite(4711) }
}

@inline(never) func keep(_ reader: consuming MailslotReader) {}

/// Each suspending call, then two that throw by type: what the optimiser stumbles over.
final class Everything {
    private var number: Int
    init(_ reader: MailslotSharedReader, _ writer: MailslotSharedWriter) async throws {
        try await writer.write("1")
        number = try checked(1)
        number += try checked(1)
        _ = try await writer.write("2", timeout: .seconds(1))
        number += try checked(1)
        try await writer.write(contentsOf: ["3", "4"])
        number += try checked(1)
        try await writer.write(capacity: 8) { $0.append(UInt8(5)) }
        number += try checked(1)
        _ = try await reader.read()
        number += try checked(1)
        _ = try await reader.read(until: .now + .seconds(1), clock: .continuous)
        number += try checked(1)
        _ = try await reader.withMessage { bytes, _ in bytes.byteCount }
        number += try checked(1)
        _ = try await reader.withMessage { bytes, _ in try checked(bytes.byteCount) }
        number += try checked(1)
        _ = try await reader.withMessages(atMost: 2) { _, _ in }
        number += try checked(1)
        try await reader.setReadTimeout(.now)
        number += try checked(1)
        await reader.close()
    }
    var count: Int { number }
}

@main struct Main {
    static func main() async throws {
        let requests = MailslotSharedReader(try Mailslot.create("calls/requests"))
        let calls = try await Calls()
        try await calls.call()
        guard let count = try await requests.withMessage(timeout: .seconds(10), { bytes, _ in bytes.byteCount }) else { return }
        let reader = MailslotSharedReader(try Mailslot.create("calls/all"))
        let everything = try await Everything(reader, MailslotSharedWriter(try Mailslot.open("calls/all")))
        print("\(count) \(everything.count)")
    }
}
