internal import CMailslotsNATS

/// The C client and its connection, with errors that say what to do.
@safe
struct NATSEndpoint: @unchecked Sendable {
    // Sound: the C calls say which threads may make them, and the transport keeps to it.
    private let handle: OpaquePointer
    let isConnected: Bool

    /// The client that this was built with; or why it cannot be used.
    static func probe() -> (isUsable: Bool, says: String) {
        let probed = mslot_nats_probe()
        return (probed.is_usable, text(of: probed.text))
    }

    /// The client that this was built with.
    static func usableClient() throws(BridgeError) -> String {
        let probed = probe()
        guard probed.isUsable else { throw BridgeError(.system, "NATS cannot be used: \(probed.says).") }
        return probed.says
    }

    /// Connects, or begins to try.
    init(_ settings: NATSSettings, name: String) throws(BridgeError) {
        try settings.validate()
        // For as long as the call takes.
        var texts: [CText] = []
        func keep(_ text: String?) -> UnsafePointer<CChar>? {
            guard let text else { return nil }
            texts.append(CText(text))
            return unsafe texts.last?.pointer
        }
        var options = unsafe mslot_nats_options_default()
        unsafe options.name = unsafe keep(name)
        switch settings.credentials {
        case .password(let user, let password): unsafe (options.user, options.password) = unsafe (keep(user), keep(password))
        case .token(let token): unsafe options.token = unsafe keep(token)
        case .file(let file): unsafe options.credentials_file = unsafe keep(file)
        case .nkey(let key, let file): unsafe (options.nkey, options.nkey_seed_file) = unsafe (keep(key), keep(file))
        case nil: break
        }
        if let tls = settings.tls {
            unsafe options.uses_tls = true
            unsafe options.authorities_file = unsafe keep(tls.authoritiesFile)
            unsafe options.certificate_file = unsafe keep(tls.certificateFile)
            unsafe options.key_file = unsafe keep(tls.keyFile)
            unsafe options.server_name = unsafe keep(tls.serverName)
        }
        unsafe options.backlog_bytes = UInt32(clamping: settings.backlogSize)
        unsafe options.incoming_bytes = UInt32(clamping: settings.receiveBufferSize)
        unsafe options.connect_timeout_ns = max(settings.connectTimeout.nanoseconds, 1_000_000)
        unsafe options.retry_max_ns = max(settings.maximumReconnectWait.nanoseconds, options.retry_min_ns)
        let addresses = unsafe settings.servers.map { unsafe keep($0) }
        let opened = unsafe withExtendedLifetime(texts) {
            unsafe addresses.withUnsafeBufferPointer { addresses in
                unsafe options.servers = addresses.baseAddress
                unsafe options.server_count = addresses.count
                return unsafe mslot_nats_open(&options)
            }
        }
        try unsafe settings.explain(opened.outcome, text(of: opened.text))
        unsafe handle = opened.endpoint
        isConnected = unsafe opened.is_connected
    }

    /// Ends it; its counters stay until it is freed. Both sides must have ended.
    func close() {
        let outcome = unsafe mslot_nats_close(handle)
        precondition(outcome == .MSLOT_NATS_DONE, "The transport is closed while it is used.")
    }

    /// After `close`. Nothing may be asked of it then.
    func free() { unsafe mslot_nats_free(handle) }

    /// For people: the server, or why there is none.
    var state: (isConnected: Bool, says: String) {
        let info = unsafe mslot_nats_describe(handle)
        return (info.is_connected, text(of: info.text))
    }

    func subscribe(_ subject: String) throws(BridgeError) -> UInt32 {
        let subscribed = unsafe mslot_nats_subscribe(handle, subject)
        guard subscribed.outcome == .MSLOT_NATS_DONE else {
            let reason = unsafe String(cString: mslot_nats_outcome_text(subscribed.outcome))
            throw BridgeError(.network, "NATS: cannot subscribe to \(subject): \(reason).")
        }
        return subscribed.subscription
    }

    func unsubscribe(_ number: UInt32) { unsafe _ = mslot_nats_unsubscribe(handle, number) }

    func flush(upTo nanoseconds: Int64) { unsafe _ = mslot_nats_flush(handle, nanoseconds) }

    func wait(upTo nanoseconds: Int64) { unsafe _ = mslot_nats_wait(handle, nanoseconds) }

    func wake() { unsafe mslot_nats_wake(handle) }

    /// Empties `outgoing`.
    func send(_ outgoing: Outgoing, waitingUpTo nanoseconds: Int64) {
        unsafe _ = mslot_nats_send(handle, outgoing.datagrams, outgoing.count, nanoseconds)
        outgoing.removeAll()
    }

    /// Replaces what `incoming` has.
    func receive(_ incoming: Incoming) {
        incoming.count = unsafe mslot_nats_receive(handle, incoming.views, Incoming.countMax).count
    }

    var nextEvent: (kind: mslot_nats_event_kind, says: String) {
        let event = unsafe mslot_nats_next_event(handle)
        return (event.kind, text(of: event.text))
    }

    var counted: mslot_nats_counters { unsafe mslot_nats_count(handle) }

    /// Of the sending side: datagrams as the C function takes them.
    @safe
    final class Outgoing: @unchecked Sendable {
        // Sound: one thread at a time sends.
        fileprivate let datagrams = UnsafeMutablePointer<mslot_nats_datagram>.allocate(capacity: DatagramBatch.countMax)
        fileprivate private(set) var count = 0
        private var kept: [CText] = []

        deinit { unsafe datagrams.deallocate() }

        fileprivate func removeAll() {
            count = 0
            kept.removeAll(keepingCapacity: true)
        }

        /// A datagram of the batch, which must stay as it is until all is sent.
        func append(_ index: Int, of batch: borrowing DatagramBatch, to subject: CText, from own: CText) {
            if kept.last !== subject { kept += [own, subject] }
            let bytes = unsafe batch.bytes(of: index)
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            precondition(count < DatagramBatch.countMax, "A batch has no more.")
            unsafe (datagrams + count).initialize(
                to: mslot_nats_datagram(
                    subject: subject.pointer, reply: own.pointer, bytes: start, byte_count: UInt32(bytes.count)))
            count += 1
        }
    }

    /// Of the receiving side: what was received last. Its bytes are there until the next time.
    @safe
    final class Incoming: @unchecked Sendable {
        static let countMax = 256
        // Sound: one thread at a time receives.
        fileprivate let views = UnsafeMutablePointer<mslot_nats_view>.allocate(capacity: countMax)
        fileprivate(set) var count = 0

        deinit { unsafe views.deallocate() }

        func withDatagram(_ index: Int, _ body: (RawSpan) -> Void) {
            precondition(index < count, "There are \(count).")
            let view = unsafe views[index]
            // Sound: the span does not leave the call.
            body(unsafe RawSpan(_unsafeStart: view.bytes, byteCount: Int(view.byte_count)))
        }

        /// What its sender says; empty if nothing.
        func reply(of index: Int) -> String { index < count ? unsafe String(cString: views[index].reply) : "" }
    }
}

extension NATSSettings {
    /// For people: without what is secret in them.
    package var addresses: String {
        servers.map { server in
            guard let at = server.lastIndex(of: "@"), let slash = server.firstIndex(of: "/") else { return server }
            return server[...slash] + "/" + server[server.index(after: at)...]
        }.joined(separator: ", ")
    }

    fileprivate func explain(_ outcome: mslot_nats_outcome, _ reason: String) throws(BridgeError) {
        switch outcome {
        case .MSLOT_NATS_DONE: return
        case .MSLOT_NATS_REFUSED:
            throw BridgeError(
                .network,
                """
                The NATS server refuses this bridge (\(reason)): \(addresses). Give it the user and password, the token, the credentials \
                file or the nkey that the server's configuration has.
                """)
        case .MSLOT_NATS_NO_TLS:
            throw BridgeError(
                .network,
                """
                TLS with the NATS server was not agreed on (\(reason)): \(addresses). Its certificate must be for the name in its address \
                and signed by an authority of the file that is configured, and both sides must want TLS.
                """)
        case .MSLOT_NATS_BAD_OPTIONS, .MSLOT_NATS_BAD_ARGUMENT:
            throw BridgeError(.badConfiguration, "NATS: \(reason). Correct what is configured of NATS.")
        default: throw BridgeError(.system, "NATS cannot be used: \(reason).")
        }
    }
}
