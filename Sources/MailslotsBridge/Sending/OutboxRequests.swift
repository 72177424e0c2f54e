internal import Mailslots

/// A request that was understood.
struct OutboxRequest {
    let id: UInt64
    /// `nil`: the names are none.
    let outbox: OutboxName?

    /// `nil`: these bytes are no request.
    init?(_ bytes: [UInt8]) {
        guard let request = OutboxProtocol.Request(bytes) else { return nil }
        id = request.id
        outbox = OutboxName(number: request.outbox, destination: request.destination, mailslot: request.mailslot)
    }
}

/// The two mailslots by which local processes ask for an outbox, as `mailslots/outbox_protocol.h` says. For the sending side's thread.
final class OutboxRequests {
    private var requests: LendingReader
    private var answers: LendingReader
    private var answering: MailslotWriter

    init(_ configuration: BridgeConfiguration.Outboxes) throws(BridgeError) {
        let permissions = configuration.permissions
        do throws(MailslotError) {
            // The answers first: who finds the requests finds them too.
            answers = try LendingReader(creating: OutboxProtocol.answersName, capacity: 256, writers: 1, permissions: permissions)
            requests = try LendingReader(creating: OutboxProtocol.requestsName, capacity: 256, writers: 1024, permissions: permissions)
            answering = try Mailslot.open(OutboxProtocol.answersName)
        } catch {
            throw BridgeError(error)
        }
    }

    func join(_ wait: inout ReaderWait) { wait.append(requests) }

    func interrupter() -> MailslotInterrupter { requests.interrupter() }

    enum Next {
        case request(OutboxRequest)
        case malformed
        case nothing
    }

    func next() -> Next {
        do {
            guard let bytes = try requests.read() else { return .nothing }
            return OutboxRequest(bytes).map { .request($0) } ?? .malformed
        } catch {
            return .malformed
        }
    }

    func answer(_ request: OutboxRequest, _ result: OutboxProtocol.Result, _ text: String = "") {
        _ = try? answering.tryWrite(OutboxProtocol.answer(request.id, result, Self.wholeCharacters(of: text)))
        _ = try? answers.read()
    }

    /// As much of the text as there is room for: what is sent is UTF-8.
    private static func wholeCharacters(of text: String) -> [UInt8] {
        let bytes = [UInt8](text.utf8)
        var count = min(bytes.count, OutboxProtocol.textBytesMax)
        while count < bytes.count, UTF8.isContinuation(bytes[count]) { count -= 1 }
        return [UInt8](bytes.prefix(count))
    }
}
