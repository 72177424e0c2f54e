package import CMailslots

/// A reader that lends messages in place, one after the other, and takes all back at once: the bridge packs what is lent into datagrams,
/// gives it back, and then sends. For one thread at a time.
@safe
package struct LendingReader: ~Copyable {
    // Sound: every call on the handle is of its one owner; the interrupter, a ReaderWait and a BackgroundWait alone share it.
    @usableFromInline let handle: UnsafeMutablePointer<mslot_reader>
    /// The message that `peek` found, lent and not yet taken.
    @usableFromInline var next: mslot_view?
    /// Messages that were taken, and are still lent.
    @usableFromInline var takenCount = 0
    /// False: a reader that adopts the mailslot finds what was not released. That it ends by `close` discards it in any case.
    package var discardsUnreadAtEnd = true
    private var isOpen = true

    /// - Parameters:
    ///   - capacity: `nil`: what is there to adopt. So are `writers` and `permissions`.
    package init(
        creating name: String, capacity: Int?, writers: Int?, permissions: Mailslot.Permissions?, unread: Mailslot.UnreadMessages = .discard
    ) throws(MailslotError) {
        var options = mslot_create_options_default()
        options.capacity = UInt32(capacity ?? 0)
        options.writers = UInt32(writers ?? 0)
        options.mode = permissions?.rawValue ?? 0
        options.adopt = unread == .adopt
        let created = unsafe mslot_create(name, &options)
        guard let reader = unsafe created.reader else { throw unsafe MailslotError(created.failure, name: name) }
        unsafe handle = reader
    }

    /// Discards what is unread, and tells the writers. Nothing else may be asked of it then.
    package mutating func close() {
        guard isOpen else { return }
        isOpen = false
        unsafe next = nil
        _ = unsafe mslot_reader_close(handle)
    }

    deinit {
        if isOpen, discardsUnreadAtEnd { _ = unsafe mslot_reader_close(handle) }
    }

    package var capacity: Int { Int(unsafe mslot_reader_info(handle).capacity) }

    /// Ends this reader's waits, from any thread. Whoever has it forgets it before the reader is closed.
    package func interrupter() -> MailslotInterrupter { unsafe MailslotInterrupter(.reader(handle)) }

    // MARK: messages

    @usableFromInline
    package enum Look {
        case message
        case nothing
        /// One was skipped; or the mailslot is destroyed, if this comes again and again.
        case damaged
    }

    /// Looks for the next message. Never waits.
    @inlinable
    package mutating func peek() -> Look {
        if unsafe next != nil { return .message }
        let view = unsafe mslot_reader_peek(handle, 0)
        switch unsafe view.outcome {
        case .done:
            unsafe next = view
            return .message
        // It is skipped, and counted, when nothing before it is lent.
        case .damaged: return takenCount > 0 ? .nothing : .damaged
        default: return .nothing
        }
    }

    /// Calls `body` with the message that `peek` found. The bytes are shared memory: they may change.
    @inlinable
    package func withNext<Result>(_ body: (_ payload: RawSpan, _ sender: UInt32) -> Result) -> Result {
        guard let view = unsafe next else { preconditionFailure("Peek first.") }
        // Sound: lent bytes stay until they are released; the span does not leave the call.
        return unsafe body(RawSpan(_unsafeStart: UnsafeRawPointer(view.bytes!), byteCount: Int(view.byte_count)), view.sender)
    }

    /// The next `peek` looks for the one behind it. It stays lent.
    @inlinable
    package mutating func take() {
        unsafe next = nil
        takenCount += 1
    }

    /// Takes the message that `peek` found, and copies at most as many of its bytes as there is room for. Returns how many, and who
    /// wrote them.
    package mutating func take(copyingInto bytes: inout MutableRawSpan) -> (byteCount: Int, sender: UInt32) {
        guard let view = unsafe next else { preconditionFailure("Peek first.") }
        let count = unsafe min(Int(view.byte_count), bytes.byteCount)
        // Sound: so many bytes are lent, and so many there is room for.
        unsafe bytes.withUnsafeMutableBytes { unsafe $0.copyMemory(from: UnsafeRawBufferPointer(start: view.bytes, count: count)) }
        take()
        return unsafe (count, view.sender)
    }

    /// Gives back what was taken.
    @inlinable
    package mutating func release() {
        guard takenCount > 0 else { return }
        _ = unsafe mslot_reader_release(handle, takenCount)
        takenCount = 0
    }

    /// The next message, copied and released; `nil`: there is none.
    package mutating func read() throws(MailslotError) -> [UInt8]? {
        switch peek() {
        case .nothing: return nil
        case .damaged: throw MailslotError(outcome: .damaged, name: "")
        case .message:
            // Sound: copied.
            let bytes = withNext { payload, _ in [UInt8](copying: payload) }
            take()
            release()
            return bytes
        }
    }
}
