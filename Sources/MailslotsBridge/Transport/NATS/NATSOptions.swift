internal import CMailslotsNATS

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

extension NATSSettings {
    /// For people: without what is secret in them.
    package var addresses: String {
        servers.map { server in
            guard let at = server.lastIndex(of: "@"), let slash = server.firstIndex(of: "/") else { return server }
            return server[...slash] + "/" + server[server.index(after: at)...]
        }.joined(separator: ", ")
    }

    /// Opens an endpoint, or throws why there can be none.
    func open(name: String) throws(BridgeError) -> mslot_nats_opened {
        try validate()
        // Copies, for as long as the call takes.
        var texts: [UnsafeMutablePointer<CChar>] = unsafe []
        defer { unsafe texts.forEach { unsafe free($0) } }
        func copy(_ text: String?) -> UnsafePointer<CChar>? {
            guard let text else { return nil }
            unsafe texts.append(copied(text))
            return unsafe UnsafePointer(texts.last)
        }
        var options = unsafe mslot_nats_options_default()
        unsafe options.name = unsafe copy(name)
        switch credentials {
        case .password(let user, let password): unsafe (options.user, options.password) = unsafe (copy(user), copy(password))
        case .token(let token): unsafe options.token = unsafe copy(token)
        case .file(let file): unsafe options.credentials_file = unsafe copy(file)
        case .nkey(let key, let file): unsafe (options.nkey, options.nkey_seed_file) = unsafe (copy(key), copy(file))
        case nil: break
        }
        if let tls {
            unsafe options.uses_tls = true
            unsafe options.authorities_file = unsafe copy(tls.authoritiesFile)
            unsafe options.certificate_file = unsafe copy(tls.certificateFile)
            unsafe options.key_file = unsafe copy(tls.keyFile)
            unsafe options.server_name = unsafe copy(tls.serverName)
        }
        unsafe options.backlog_bytes = UInt32(clamping: backlogSize)
        unsafe options.incoming_bytes = UInt32(clamping: receiveBufferSize)
        unsafe options.connect_timeout_ns = max(connectTimeout.nanoseconds, 1_000_000)
        unsafe options.retry_max_ns = max(maximumReconnectWait.nanoseconds, options.retry_min_ns)
        let addresses = unsafe servers.map { unsafe copy($0) }
        let opened = unsafe addresses.withUnsafeBufferPointer { addresses in
            unsafe options.servers = addresses.baseAddress
            unsafe options.server_count = addresses.count
            return unsafe mslot_nats_open(&options)
        }
        try unsafe explain(opened.outcome, textOf(opened.text))
        return unsafe opened
    }

    private func explain(_ outcome: mslot_nats_outcome, _ reason: String) throws(BridgeError) {
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

/// To be freed.
func copied(_ text: String) -> UnsafeMutablePointer<CChar> {
    guard let copy = unsafe strdup(text) else { fatalError("There is no memory for a text of \(text.utf8.count) bytes.") }
    return unsafe copy
}

/// Of an array of characters that ends with a zero.
func textOf<Characters: BitwiseCopyable>(_ characters: Characters) -> String {
    // Sound: the bytes are characters, and are copied.
    unsafe withUnsafeBytes(of: characters) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
