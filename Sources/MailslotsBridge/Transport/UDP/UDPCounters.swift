internal import CMailslotsDatagram
internal import Synchronization

/// What the transport itself drops, beside what the kernel refuses.
final class UDPDrops: Sendable {
    /// No path to the destination is known.
    let noPath = Atomic<UInt64>(0)
    /// The send buffer was full for 10 ms.
    let blocked = Atomic<UInt64>(0)
    /// Longer than a datagram of this protocol.
    let truncated = Atomic<UInt64>(0)
    /// Hosts that were not learned, for there are too many.
    let hosts = Atomic<UInt64>(0)
}

extension UDPEndpoint {
    /// Of all sockets together.
    func counters(_ drops: UDPDrops) -> [TransportCounter] {
        var sum = mslot_datagram_counters()
        var socket: UInt32 = 0
        var of = mslot_datagram_counters()
        while unsafe mslot_datagram_count(handle, socket, &of) == .MSLOT_DATAGRAM_DONE {
            sum.add(of)
            socket += 1
        }
        return [
            TransportCounter("datagrams.sent", sum.sent),
            TransportCounter("datagrams.received", sum.received),
            TransportCounter("bytes.sent", sum.sent_bytes),
            TransportCounter("bytes.received", sum.received_bytes),
            TransportCounter("packets.sent", sum.sent_packets),
            TransportCounter("packets.received", sum.received_packets),
            TransportCounter("waits.send", sum.blocked),
            TransportCounter("errors.receive", sum.receive_errors),
            TransportCounter("drops.send.no_path", drops.noPath.load(ordering: .relaxed)),
            TransportCounter("drops.send.blocked", drops.blocked.load(ordering: .relaxed)),
            TransportCounter("drops.send.too_long", sum[.MSLOT_DATAGRAM_DROP_TOO_LONG]),
            TransportCounter("drops.send.mtu", sum[.MSLOT_DATAGRAM_DROP_MTU]),
            TransportCounter("drops.send.unreachable", sum[.MSLOT_DATAGRAM_DROP_UNREACHABLE]),
            TransportCounter("drops.send.forbidden", sum[.MSLOT_DATAGRAM_DROP_FORBIDDEN]),
            TransportCounter("drops.send.no_buffers", sum[.MSLOT_DATAGRAM_DROP_NO_BUFFERS]),
            TransportCounter("drops.send.bad_address", sum[.MSLOT_DATAGRAM_DROP_BAD_ADDRESS]),
            TransportCounter("drops.send.other", sum[.MSLOT_DATAGRAM_DROP_OTHER]),
            TransportCounter("drops.receive.overflow", sum.overflows),
            TransportCounter("drops.receive.truncated", drops.truncated.load(ordering: .relaxed)),
            TransportCounter("drops.hosts", drops.hosts.load(ordering: .relaxed)),
        ]
    }
}

extension mslot_datagram_counters {
    fileprivate subscript(cause: mslot_datagram_drop) -> UInt64 {
        unsafe withUnsafeBytes(of: dropped) { unsafe $0.load(fromByteOffset: Int(cause.rawValue) * 8, as: UInt64.self) }
    }

    /// It is 64-bit numbers only.
    fileprivate mutating func add(_ other: mslot_datagram_counters) {
        unsafe withUnsafeMutableBytes(of: &self) { sum in
            unsafe withUnsafeBytes(of: other) { other in
                let sum = unsafe sum.assumingMemoryBound(to: UInt64.self)
                let other = unsafe other.assumingMemoryBound(to: UInt64.self)
                for index in sum.indices { unsafe sum[index] += other[index] }
            }
        }
    }
}
