package import CMailslots

/// How writers ask the bridge for an outbox, byte by byte as `mailslots/outbox_protocol.h` has it.
package enum OutboxProtocol {
    package typealias Result = mslot__outbox_result

    package static let requestsName = MSLOT_OUTBOX_REQUESTS
    package static let answersName = MSLOT_OUTBOX_ANSWERS
    package static let outboxPrefix = MSLOT_OUTBOX_PREFIX
    package static let ownDomain = MSLOT_OUTBOX_OWN_DOMAIN
    /// Outboxes of one destination and mailslot.
    package static let outboxesMax = Int(MSLOT_OUTBOXES_MAX)
    package static let textBytesMax = Int(MSLOT_WORDS_BYTES_MAX)

    /// The names are as they were sent.
    package struct Request {
        package let id: UInt64
        package let outbox: Int
        package let destination: [UInt8]
        package let mailslot: [UInt8]

        /// `nil`: these bytes are no request.
        package init?(_ bytes: [UInt8]) {
            // Sound: the texts lie in the bytes, and are copied.
            let decoded: Request? = unsafe bytes.withUnsafeBufferPointer { bytes in
                var request = unsafe mslot__outbox_request()
                guard unsafe mslot__outbox_request_decode(&request, bytes.baseAddress, bytes.count) else { return nil }
                return unsafe Request(request)
            }
            guard let decoded else { return nil }
            self = decoded
        }

        private init(_ request: mslot__outbox_request) {
            id = unsafe request.id
            outbox = Int(unsafe request.outbox)
            destination = unsafe [UInt8](UnsafeRawBufferPointer(start: request.destination, count: Int(request.destination_bytes)))
            mailslot = unsafe [UInt8](UnsafeRawBufferPointer(start: request.name, count: Int(request.name_bytes)))
        }
    }

    /// The bytes of an answer. A text of at most ``textBytesMax`` bytes, else this traps.
    package static func answer(_ id: UInt64, _ result: Result, _ text: [UInt8]) -> [UInt8] {
        precondition(text.count <= textBytesMax, "The text is too long.")
        return unsafe [UInt8](unsafeUninitializedCapacity: Int(MSLOT_OUTBOX_ANSWER_BYTES_MAX)) { bytes, count in
            // Sound: there is room for the longest.
            unsafe text.withUnsafeBytes { text in
                var answer = unsafe mslot__outbox_answer(
                    id: id, result: UInt8(result.rawValue), text_bytes: UInt16(text.count),
                    text: text.assumingMemoryBound(to: CChar.self).baseAddress)
                count = unsafe mslot__outbox_answer_encode(&answer, bytes.baseAddress)
            }
        }
    }
}
