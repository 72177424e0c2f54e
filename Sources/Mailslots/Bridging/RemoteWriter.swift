internal import CMailslots

/// A writer of messages from other machines, which say who wrote them. For one thread at a time.
@safe
package struct RemoteWriter: ~Copyable {
    // Sound: every call on the handle is of its one owner.
    private let handle: UnsafeMutablePointer<mslot_writer>

    /// Why there is none. Without words: who sends decides how often it happens.
    package enum Refusal: Error {
        /// No such mailslot, or it has no reader.
        case missing
        case unusable
    }

    package enum Outcome {
        case done
        case full
        case tooLong
        /// Closed, or destroyed.
        case unusable
    }

    package init(opening name: String, trusting trust: Mailslot.Trust) throws(Refusal) {
        var options = unsafe mslot_open_options_default()
        unsafe options.trust_user = trust.user
        let opened = unsafe mslot_open(name, &options)
        guard let writer = unsafe opened.writer else {
            let outcome = unsafe opened.failure.outcome
            throw outcome == .notFound || outcome == .noReader ? .missing : .unusable
        }
        unsafe handle = writer
    }

    deinit { _ = unsafe mslot_writer_close(handle) }

    package var acceptsRemoteMessages: Bool { unsafe mslot_writer_info(handle).allows_remote }

    /// Never waits. `origin`: ``MailslotOrigin/rawValue``.
    package func write(_ payload: RawSpan, sender: UInt32, origin: UInt16) -> Outcome {
        // Sound: the call copies the bytes.
        let outcome = unsafe payload.withUnsafeBytes { unsafe mslot_writer_write_from(handle, $0.baseAddress, $0.count, 0, sender, origin) }
        return Self.outcome(outcome)
    }

    /// Takes messages from the front of the batch, at most `limit`, and writes them in order until one cannot be, which stays. Never
    /// waits. Their reader is woken once.
    package func write(_ batch: inout RemoteMessages.Batch, atMost limit: Int) -> Outcome {
        let messages = unsafe batch.messages
        let written = unsafe mslot_writer_write_batch_from(handle, messages.baseAddress, min(messages.count, limit))
        batch.removeFirst(written.count)
        return Self.outcome(written.outcome)
    }

    /// The same for the first one alone, waiting for room.
    package func writeFirst(of batch: inout RemoteMessages.Batch, waitingUpTo nanoseconds: Int64) -> Outcome {
        guard let first = unsafe batch.messages.first else { return .done }
        let outcome = unsafe mslot_writer_write_from(
            handle, first.bytes, Int(first.byte_count), nanoseconds, first.sender, first.origin)
        if outcome == .done { batch.removeFirst(1) }
        return Self.outcome(outcome)
    }

    private static func outcome(_ outcome: mslot_outcome) -> Outcome {
        switch outcome {
        case .done: .done
        case .full, .timedOut: .full
        case .tooLong: .tooLong
        default: .unusable
        }
    }
}
