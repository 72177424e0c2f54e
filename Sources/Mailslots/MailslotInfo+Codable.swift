internal import CMailslots

// The keys are the names of the properties, and the counters'. `mailslot info --json` prints them, too, and more for people.
extension MailslotInfo: Codable {
    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.init(stringValue) }
        init?(intValue: Int) { nil }
    }

    /// Encodes every property and counter under its name. Left out are a `nextMessageSize` where there is no message, and
    /// `readTimeoutNanoseconds` where reading waits for ever.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(name, forKey: Key("name"))
        try container.encodeIfPresent(nextMessageSize, forKey: Key("nextMessageSize"))
        try container.encode(messageCount, forKey: Key("messageCount"))
        try container.encode(capacity, forKey: Key("capacity"))
        try container.encode(maximumMessageSize, forKey: Key("maximumMessageSize"))
        try container.encode(maximumWriters, forKey: Key("maximumWriters"))
        if info.read_timeout_ns != MSLOT_FOREVER { try container.encode(info.read_timeout_ns, forKey: Key("readTimeoutNanoseconds")) }
        try container.encode(permissions.rawValue, forKey: Key("permissions"))
        try container.encode(acceptsRemoteMessages, forKey: Key("acceptsRemoteMessages"))
        try container.encode(segmentSize, forKey: Key("segmentSize"))
        try container.encode(isSound, forKey: Key("isSound"))
        try container.encode(createdNanoseconds, forKey: Key("createdNanoseconds"))
        try container.encode(readerSinceNanoseconds, forKey: Key("readerSinceNanoseconds"))
        try container.encode(ownerUserID, forKey: Key("ownerUserID"))
        try container.encode(readerProcessID, forKey: Key("readerProcessID"))
        try container.encode(readerUserID, forKey: Key("readerUserID"))
        try container.encode(hasReader, forKey: Key("hasReader"))
        try container.encode(writerCount, forKey: Key("writerCount"))
        for counter in counters { try container.encode(counter.value, forKey: Key(counter.name)) }
    }

    /// Decodes what ``encode(to:)`` has encoded, or `mailslot info --json` printed. A counter that is missing, because a version wrote it
    /// that did not have it, is 0.
    ///
    /// - Throws: `DecodingError` where a property is missing or out of range.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        func count(_ name: String) throws -> UInt32 { try container.decode(UInt32.self, forKey: Key(name)) }
        func corrupted(_ name: String, _ words: String) -> DecodingError {
            .dataCorruptedError(forKey: Key(name), in: container, debugDescription: words)
        }
        var info = mslot_info()
        let name = try container.decode(String.self, forKey: Key("name"))
        // Sound: within the bytes, of which the last stays 0.
        let fits = unsafe withUnsafeMutableBytes(of: &info.name) { bytes in
            guard name.utf8.count < bytes.count else { return false }
            unsafe bytes.copyBytes(from: name.utf8)
            return true
        }
        guard fits else { throw corrupted("name", "No mailslot has so long a name.") }
        if let size = try container.decodeIfPresent(Int32.self, forKey: Key("nextMessageSize")) {
            guard size >= 0 else { throw corrupted("nextMessageSize", "A size is not negative.") }
            info.next_byte_count = size
        } else {
            info.next_byte_count = -1
        }
        info.message_count = try count("messageCount")
        info.capacity = try count("capacity")
        info.message_bytes_max = try count("maximumMessageSize")
        info.writers_max = try count("maximumWriters")
        info.read_timeout_ns = try container.decodeIfPresent(Int64.self, forKey: Key("readTimeoutNanoseconds")) ?? MSLOT_FOREVER
        guard info.read_timeout_ns >= 0 else { throw corrupted("readTimeoutNanoseconds", "A time-out is not negative.") }
        info.mode = try count("permissions")
        info.allows_remote = try container.decode(Bool.self, forKey: Key("acceptsRemoteMessages"))
        let segmentSize = try container.decode(Int.self, forKey: Key("segmentSize"))
        guard segmentSize >= 0 else { throw corrupted("segmentSize", "A size is not negative.") }
        info.segment_bytes = UInt64(segmentSize)
        info.outcome = try container.decode(Bool.self, forKey: Key("isSound")) ? .done : .damaged
        info.created_ns = try container.decode(UInt64.self, forKey: Key("createdNanoseconds"))
        info.reader_since_ns = try container.decode(UInt64.self, forKey: Key("readerSinceNanoseconds"))
        info.owner_uid = try count("ownerUserID")
        info.reader_pid = UInt32(bitPattern: try container.decode(Int32.self, forKey: Key("readerProcessID")))
        info.reader_uid = try count("readerUserID")
        info.reader_present = try container.decode(Bool.self, forKey: Key("hasReader"))
        info.writer_count = try count("writerCount")
        for counter in MailslotCounter.descriptions {
            let key = Key(MailslotCounter(counter, in: info).name)
            guard let value = try container.decodeIfPresent(UInt64.self, forKey: key) else { continue }
            // Sound: the C core says where its 64 bits are.
            unsafe withUnsafeMutableBytes(of: &info) { unsafe $0.storeBytes(of: value, toByteOffset: counter.offset, as: UInt64.self) }
        }
        self.init(info)
    }
}
