internal import CMailslotsDatagram

/// Whether a datagram engine works in this process.
package struct DatagramEngine {
    package let isUsable: Bool
    /// If it is, its version. If not, the cause and the cure.
    package let says: String

    package static let ioURing = DatagramEngine(.MSLOT_DATAGRAM_IO_URING)

    private init(_ engine: mslot_datagram_engine) {
        let probed = mslot_datagram_probe(engine)
        isUsable = probed.is_usable
        says = text(of: probed.text)
    }
}
