// Where local processes ask for an outbox. Two mailslots of the bridge:
//
//     bridge/requests    everybody who may send writes, the bridge reads
//     bridge/answers     the bridge writes, and reads itself, so that it is never full; who has asked observes it
//
// A request:
//     offset  bytes  field
//          0      1  version             1
//          1      1  kind                1: make an outbox
//          2      1  K                   0 to 63
//          3      1  destination bytes, d
//          4      1  mailslot bytes, m
//          5      3  0
//          8      8  id                  little-endian; the asker's choice, at random
//         16      d  destination         canonical: a host, a domain, or `@`
//     16 + d      m  mailslot            canonical
//
// An answer:
//          0      1  version             1
//          1      1  kind                1
//          2      1  result              DeskResult
//          3      1  0
//          4      2  text bytes, t       little-endian
//          6      2  0
//          8      8  id                  of the request
//         16      t  text                cause and cure in sentences, for people. UTF-8, at most 400 bytes
internal import CMailslots

/// How a request ended.
package enum DeskResult: UInt8, Sendable {
    case ready = 0
    case noSuchHost = 1
    case notAllowed = 2
    case badName = 3
    case tooManyOutboxes = 4
    case noResources = 5
    case ending = 6
}

/// A request that was understood.
struct DeskRequest {
    let id: UInt64
    /// `nil`: the names are none.
    let outbox: OutboxName?

    private static let headerBytes = 16

    /// `nil`: these bytes are no request.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.headerBytes, bytes[0] == 1, bytes[1] == 1, bytes[5...7].allSatisfy({ $0 == 0 }) else { return nil }
        let destinationEnd = Self.headerBytes + Int(bytes[3])
        guard bytes.count == destinationEnd + Int(bytes[4]) else { return nil }
        id = bytes[8..<16].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        outbox = OutboxName(
            number: Int(bytes[2]), destination: [UInt8](bytes[Self.headerBytes..<destinationEnd]),
            mailslot: [UInt8](bytes[destinationEnd...]))
    }
}

/// The two mailslots. For the sending side's thread.
@safe
final class BridgeDesk {
    static let requestsName = "bridge/requests"
    static let answersName = "bridge/answers"
    private static let textBytesMax = 400

    let requests: UnsafeMutablePointer<mslot_reader>
    private let answers: UnsafeMutablePointer<mslot_reader>
    private let answering: UnsafeMutablePointer<mslot_writer>

    init(_ configuration: BridgeConfiguration.Outboxes) throws(BridgeError) {
        // The answers first: who finds the requests finds them too.
        unsafe answers = try Self.create(Self.answersName, capacity: 256, writers: 1, mode: configuration.permissions)
        do throws(BridgeError) {
            unsafe requests = try Self.create(Self.requestsName, capacity: 256, writers: 1024, mode: configuration.permissions)
        } catch {
            _ = unsafe mslot_reader_close(answers)
            throw error
        }
        let opened = unsafe mslot_open(Self.answersName, nil)
        guard let writer = unsafe opened.writer else {
            _ = unsafe mslot_reader_close(requests)
            _ = unsafe mslot_reader_close(answers)
            throw unsafe BridgeError(opened.failure, of: Self.answersName)
        }
        unsafe answering = writer
    }

    deinit {
        _ = unsafe mslot_writer_close(answering)
        _ = unsafe mslot_reader_close(requests)
        _ = unsafe mslot_reader_close(answers)
    }

    private static func create(
        _ name: String, capacity: UInt32, writers: UInt32, mode: UInt32
    ) throws(BridgeError) -> UnsafeMutablePointer<mslot_reader> {
        var options = mslot_create_options_default()
        options.capacity = capacity
        options.writers = writers
        options.mode = mode
        let created = unsafe mslot_create(name, &options)
        guard let reader = unsafe created.reader else { throw unsafe BridgeError(created.failure, of: name) }
        return unsafe reader
    }

    enum Next {
        case request(DeskRequest)
        case malformed
        case nothing
    }

    func next() -> Next {
        let view = unsafe mslot_reader_peek(requests, 0)
        switch unsafe view.outcome {
        case .done:
            // Sound: lent until it is released; copied, for its writer may change it.
            let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: view.bytes, count: Int(view.byte_count)))
            _ = unsafe mslot_reader_release(requests, 1)
            return DeskRequest(bytes).map { .request($0) } ?? .malformed
        case .damaged: return .malformed
        default: return .nothing
        }
    }

    func answer(_ request: DeskRequest, _ result: DeskResult, _ text: String = "") {
        let words = Self.wholeCharacters(of: text)
        var bytes: [UInt8] = [1, 1, result.rawValue, 0, UInt8(words.count & 0xFF), UInt8(words.count >> 8), 0, 0]
        bytes += (0..<8).map { UInt8(truncatingIfNeeded: request.id >> UInt64($0 * 8)) }
        bytes += words
        _ = unsafe mslot_writer_try_write(answering, bytes, bytes.count)
        var ignored = [UInt8](repeating: 0, count: Int(MSLOT_MESSAGE_BYTES_MAX))
        _ = unsafe mslot_reader_read(answers, &ignored, ignored.count, 0)
    }

    /// As much of the text as there is room for: what is sent is UTF-8.
    private static func wholeCharacters(of text: String) -> [UInt8] {
        let bytes = [UInt8](text.utf8)
        var count = min(bytes.count, textBytesMax)
        while count < bytes.count, UTF8.isContinuation(bytes[count]) { count -= 1 }
        return [UInt8](bytes.prefix(count))
    }
}

extension BridgeError {
    /// A mailslot of the bridge's own could not be made; `nil`: the table of hosts could not be had.
    init(_ failure: mslot_failure, of name: String?) {
        var failure = failure
        if failure.outcome == .alreadyExists {
            self.init(
                .alreadyRunning,
                """
                Another bridge serves this directory of mailslots: process \(failure.holder_pid) of user \(failure.holder_uid). Use it, \
                end it, or give this one a directory of its own by the environment variable MAILSLOT_DIRECTORY.
                """)
            return
        }
        var text = [CChar](repeating: 0, count: 2048)
        let length = unsafe mslot_failure_describe(&failure, name, &text, text.count)
        self.init(.system, String(decoding: text.prefix(min(length, text.count - 1)).map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
}
