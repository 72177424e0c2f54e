// What a configuration may say. Settings are named as in the configuration file: see ConfigurationFile.swift.
internal import Mailslots

extension BridgeConfiguration {
    /// Checks every value, by itself and beside the others. Looks at no file and no socket.
    /// - Throws: `badConfiguration`: the first setting that cannot be, why, and the cure.
    public func validate() throws(BridgeError) {
        try Check.hostName(host, "host")
        try checkDomains()
        for settings in transports.all { try settings.validate() }
        try outboxes.validate()
        try delivery.validate()
        try Check.range(announceEvery, .milliseconds(10)...(.seconds(3600)), "announceEverySeconds", "0.01 to 3600")
        try Check.range(clockBound, .milliseconds(100)...(.seconds(86_400)), "clockBoundSeconds", "0.1 to 86400")
        try Check.range(drainTimeout, .zero...(.seconds(3600)), "drainTimeoutSeconds", "0 to 3600")
    }

    /// Checked, and with its names as they are compared: in lower case.
    func validated() throws(BridgeError) -> BridgeConfiguration {
        try validate()
        var result = self
        result.host = Check.folded(host)
        for domain in domains.indices {
            result.domains[domain].name = Check.folded(domains[domain].name)
            for peer in domains[domain].peers.indices {
                result.domains[domain].peers[peer].host = domains[domain].peers[peer].host.map(Check.folded)
            }
        }
        return result
    }

    private func checkDomains() throws(BridgeError) {
        if domains.isEmpty {
            throw .wrong(
                "domains", "there is none", "Name the domain that this host is in: --domain NAME, or \"domains\" in the file.")
        }
        var names: Set<String> = []
        for domain in domains {
            try domain.validate()
            let name = Check.folded(domain.name)
            guard names.insert(name).inserted else {
                throw .wrong("domains", "\"\(domain.name)\" is there twice", "Name each domain once; case does not matter.")
            }
            if name == Check.folded(host) {
                throw .wrong(
                    "host", "\"\(host)\" is also a domain's name, so that nobody could tell which of the two is meant",
                    "Call the host or the domain something else: --host NAME.")
            }
        }
    }
}

extension BridgeConfiguration.Domain {
    fileprivate func validate() throws(BridgeError) {
        try Check.hostName(name, "domains")
        let setting = "domain.\(name)"
        for key in [key].compactMap(\.self) + alsoAccepted where key.isPublic {
            throw .wrong("\(setting).key", "it has only zeros, a key that everyone knows", "Make one: mailslot keygen FILE")
        }
        for peer in peers {
            if peer.address.isEmpty || peer.address.utf8.count > 253 || peer.address.contains(where: { $0.isWhitespace || $0 == "/" }) {
                throw .wrong(
                    "\(setting).peers", "\"\(peer.address)\" is neither an address nor a host's name",
                    "Write 192.0.2.7, [2001:db8::7]:4240 or host.example.com:4240.")
            }
            if peer.port == 0 { throw .wrong("\(setting).peers", "\(peer.address) has port 0", "Ports are 1 to 65535.") }
            if let host = peer.host { try Check.hostName(host, "\(setting).peers") }
        }
        for group in groups where UDPAddress(group, port: 0)?.isMulticast != true {
            throw .wrong(
                "\(setting).groups", "\"\(group)\" is not a multicast address",
                "Numeric ones are: 239.255.0.0 to 239.255.255.255 within one organisation, ff02::… within one network.")
        }
    }
}

extension BridgeConfiguration.Outboxes {
    fileprivate func validate() throws(BridgeError) {
        guard (1...32_768).contains(capacity), capacity.nonzeroBitCount == 1 else {
            throw .wrong("outboxes.capacity", "it is \(capacity)", "Choose a power of two, 1 to 32768.")
        }
        try Check.range(maximumWriters, 1...(65_535 - capacity), "outboxes.writers")
        let mode = permissions.rawValue
        guard mode & ~0o666 == 0, mode & 0o600 == 0o600 else {
            throw .wrong(
                "outboxes.permissions", "it is 0\(String(mode, radix: 8))",
                "Choose 0600, who may send being the bridge's user alone; 0660, its group; or 0666, everybody.")
        }
        guard (mode & 0o444) >> 1 == mode & 0o222 else {
            throw .wrong(
                "outboxes.permissions", "it is 0\(String(mode, radix: 8)), and who may only read a mailslot could hold it up by its locks",
                "Choose 0600, 0660 or 0666, so that who may read may send.")
        }
        try Check.range(maximumCount, 1...65_536, "outboxes.countMax")
        try Check.range(maximumByteCount, 1 << 20...1 << 40, "outboxes.bytesMax")
        for pattern in allowed where pattern != "*" {
            let parts = pattern.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count < 2 || parts.contains("") {
                throw .wrong(
                    "outboxes.allowed", "\"\(pattern)\" is not HOST-OR-DOMAIN/MAILSLOT",
                    "Write patterns as studio/render.* or */jobs, or * for all.")
            }
        }
    }
}

extension BridgeConfiguration.Delivery {
    fileprivate func validate() throws(BridgeError) {
        if allowedMailslots.contains("") {
            throw .wrong("delivery.allowedMailslots", "a pattern is empty", "Write patterns as jobs or render/*, or * for all.")
        }
        if allowedHosts.contains("") {
            throw .wrong("delivery.allowedHosts", "a pattern is empty", "Write patterns as render7 or render*, or * for all.")
        }
        let limits = [
            ("delivery.messagesPerSecondOfHost", messagesPerSecondOfHost),
            ("delivery.messagesPerSecondOfMailslot", messagesPerSecondOfMailslot),
        ]
        for case (let setting, let limit?) in limits { try Check.range(limit, 1...1_000_000_000, setting) }
    }
}
