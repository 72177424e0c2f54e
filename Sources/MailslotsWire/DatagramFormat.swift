// The bytes of a datagram on the network. This file owns the format; the others of this target read and write it.
//
//     +---------------- header: in the clear, authenticated ----------------+~~~ sealed ~~~+-----+
//     | magic | version | flags | key id | domain | session | counter | time | records ...  | tag |
//     +-------+---------+-------+--------+--------+---------+---------+------+~~~~~~~~~~~~~~+-----+
//     0       2         3       4        8        12        24        32     40             -16   end
//
// Numbers are little-endian and unsigned.
//
//     offset  bytes  field
//          0      2  magic     4D 53, "MS"
//          2      1  version   1
//          3      1  flags     bit 0: for every host of the domain; else for one host. The other bits are 0
//          4      4  key id    which of the domain's keys sealed it: derived from the key, see Keys.swift
//          8      4  domain    a hint which domain it is of: derived from the key and the domain's name
//         12     12  session   random, chosen anew by the sender each time it starts, and for each key
//         24      8  counter   of the session's datagrams: no two have the same
//         32      8  time      when it was sealed: nanoseconds since 1970-01-01 00:00 UTC, as the sender's clock says
//         40      n  records   sealed: AES-256-GCM under a key of the session's own; its nonce is the bytes 24 to 35 of the header
//     40 + n     16  tag       of the records, the header, and the name of the host that it is for, which is not sent; empty if it is
//                              for every host
//
// A record, opened:
//
//          0      1  kind      1: a message. 2: an announcement
//          1      1  name bytes, m
//          2      2  payload bytes, p
//          4      4  sender    of a message: the writer's process id, as that process says. Of an announcement 0
//          8      m  name      of the mailslot, canonical: without \\host\mailslot\, ASCII letters in lower case
//      8 + m      p  payload
//
// A datagram is valid if and only if
//   1. it has 40 + 8 + 16 to 1472 bytes (64 to 1452 over IPv6);
//   2. magic and version are as above, and the unused flags are 0;
//   3. the key id and the domain's hint are ones that the receiver knows;
//   4. the time is not further from the receiver's clock than the bound, and not before the receiver started; and the counter
//      is new, see ReplayWindow.swift;
//   5. the tag is right;
//   6. the records, one at least, fill the sealed part to its last byte, and of each record
//      the kind is 1 or 2, p is at most 424, and m is 1 to 40 for a message and 0 for an announcement.
// Anything else is dropped as a whole and counted by its cause, DatagramRejection, and nothing of it is used. There is one way to encode
// what a datagram says: a valid one that is decoded and encoded again has the same bytes.
//
// 40 + 3 * (8 + 40 + 424) + 16 = 1472: three of the longest messages fill a datagram.
//
// Nothing in this target but Keys.swift and Seal.swift allocates, and nothing does I/O or asks for the time.

/// Sizes and offsets of the format above, in bytes.
public enum DatagramFormat {
    public static let headerBytes = 40
    public static let tagBytes = 16
    public static let recordHeaderBytes = 8
    public static let nameBytesMax = 40
    public static let payloadBytesMax = 424
    /// What an Ethernet frame of 1500 bytes holds over IPv4, and over IPv6.
    public static let bytesMax = 1472
    public static let bytesMaxIPv6 = 1452
    public static let bytesMin = headerBytes + recordHeaderBytes + tagBytes

    static let magic: UInt16 = 0x534D
    static let version: UInt8 = 1
    static let versionOffset = 2
    static let flagsOffset = 3
    static let keyOffset = 4
    static let domainOffset = 8
    static let sessionOffset = 12
    static let counterOffset = 24
    static let timeOffset = 32
    /// The counter and the lower half of the time. Unique under a session's key, for the counter is. The time is for a sender that
    /// goes on from a snapshot of its virtual machine, and counts on from where it was: then it makes the difference.
    static let nonceOffset = 24
    static let nonceBytes = 12
    static let forEveryHost: UInt8 = 1
}

/// Why a datagram was dropped. Each is counted by itself.
public enum DatagramRejection: UInt8, Error, CaseIterable, Sendable {
    /// Fewer bytes than the shortest valid datagram has.
    case tooShort
    /// More than fit an Ethernet frame.
    case tooLong
    /// Not of this protocol.
    case badMagic
    /// A later version, or none.
    case badVersion
    /// Flags that this version does not know.
    case badFlags
    /// No key of ours has this id in this domain: another domain's, a key that was taken out of use, or no key at all.
    case unknownKey
    /// The clocks differ too much, or it was captured long ago.
    case badTime
    /// It was sealed before this receiver started, which does not know any more what it had received.
    case beforeStart
    /// Too many senders at one time.
    case tooManySessions
    /// This counter was seen: a duplicate or a replay.
    case seen
    /// This counter is further back than the window: so late that it cannot be told from a replay.
    case tooOld
    /// The tag is wrong: altered, sealed by another key, or for another host.
    case badTag
    /// The sealed part ends in the middle of a record.
    case cutRecord
    /// A kind that this version does not know.
    case badKind
    /// A message without a name or with one of over 40 bytes, or an announcement with a name.
    case badName
    /// A payload of over 424 bytes.
    case badPayload
    /// An announcement that says it is of a process.
    case badSender
}

/// The random name of one run of one sender.
public struct SessionID: Hashable, Sendable {
    package let high: UInt32
    package let low: UInt64

    package init(high: UInt32, low: UInt64) {
        self.high = high
        self.low = low
    }

    public init(using generator: inout some RandomNumberGenerator) {
        self.init(high: generator.next(), low: generator.next())
    }
}

/// The header, as values.
public struct DatagramHeader: Hashable, Sendable {
    package var isForEveryHost: Bool
    package var key: UInt32
    package var domain: UInt32
    /// Nanoseconds since 1970.
    package var time: UInt64
    package var session: SessionID
    package var counter: UInt64

    package init(isForEveryHost: Bool, key: UInt32, domain: UInt32, time: UInt64, session: SessionID, counter: UInt64) {
        self.isForEveryHost = isForEveryHost
        self.key = key
        self.domain = domain
        self.time = time
        self.session = session
        self.counter = counter
    }

    /// Reads it from the front of a datagram. Checks the rules 1 and 2 of the format.
    public init(datagram: RawSpan) throws(DatagramRejection) {
        guard datagram.byteCount >= DatagramFormat.bytesMin else { throw .tooShort }
        guard datagram.byteCount <= DatagramFormat.bytesMax else { throw .tooLong }
        guard datagram.load16(at: 0) == DatagramFormat.magic else { throw .badMagic }
        guard datagram.load8(at: DatagramFormat.versionOffset) == DatagramFormat.version else { throw .badVersion }
        let flags = datagram.load8(at: DatagramFormat.flagsOffset)
        guard flags & ~DatagramFormat.forEveryHost == 0 else { throw .badFlags }
        isForEveryHost = flags & DatagramFormat.forEveryHost != 0
        key = datagram.load32(at: DatagramFormat.keyOffset)
        domain = datagram.load32(at: DatagramFormat.domainOffset)
        time = datagram.load64(at: DatagramFormat.timeOffset)
        session = SessionID(
            high: datagram.load32(at: DatagramFormat.sessionOffset), low: datagram.load64(at: DatagramFormat.sessionOffset + 4))
        counter = datagram.load64(at: DatagramFormat.counterOffset)
    }

    /// Writes it, 40 bytes.
    package func encode(to output: inout OutputRawSpan) {
        output.append(littleEndian: DatagramFormat.magic)
        output.append(DatagramFormat.version)
        output.append(isForEveryHost ? DatagramFormat.forEveryHost : 0)
        output.append(littleEndian: key)
        output.append(littleEndian: domain)
        output.append(littleEndian: session.high)
        output.append(littleEndian: session.low)
        output.append(littleEndian: counter)
        output.append(littleEndian: time)
    }
}

// Little-endian numbers at any offset. Sound: each is checked against the end, and an integer may have any bits.
extension RawSpan {
    @inlinable package func load8(at offset: Int) -> UInt8 { unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self) }
    @inlinable package func load16(at offset: Int) -> UInt16 {
        unsafe UInt16(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }
    @inlinable package func load32(at offset: Int) -> UInt32 {
        unsafe UInt32(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    @inlinable package func load64(at offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

extension OutputRawSpan {
    mutating func append(littleEndian number: some FixedWidthInteger & BitwiseCopyable) {
        // Sound: an integer has no padding.
        unsafe append(number.littleEndian, as: type(of: number))
    }

    mutating func append(contentsOf bytes: RawSpan) {
        precondition(bytes.byteCount <= freeCapacity, "There is no room.")
        // Sound: there is room behind what is initialized, and it is initialized before it is counted.
        unsafe withUnsafeMutableBytes { (all, initialized) in
            unsafe bytes.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(rebasing: all[initialized...]).copyMemory(from: $0) }
            initialized += bytes.byteCount
        }
    }
}
