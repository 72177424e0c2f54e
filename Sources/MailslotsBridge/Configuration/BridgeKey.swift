#if Bridge
    import FoundationEssentials

    /// The secret that the hosts of a domain share: 32 random bytes.
    ///
    /// Two are equal if their bytes are. Its description does not tell them.
    public struct BridgeKey: Sendable, Hashable, CustomStringConvertible {
        package let domainKey: DomainKey
        private let bytes: [UInt8]

        /// `nil` unless there are 32 bytes.
        public init?(_ bytes: [UInt8]) {
            guard bytes.count == DomainKey.byteCount else { return nil }
            self.bytes = bytes
            domainKey = unsafe DomainKey(bytes.span.bytes)
        }

        public static func == (a: BridgeKey, b: BridgeKey) -> Bool { a.bytes == b.bytes }
        public func hash(into hasher: inout Hasher) { hasher.combine(domainKey.id) }

        /// "key 1f2e3d4c": the id that datagrams carry. The bytes stay secret.
        public var description: String { "key " + hexadecimal(domainKey.id) }
    }

    package func hexadecimal(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
#endif
