import CMailslotsDatagram

/// Whether a datagram engine works in this process.
struct DatagramEngine {
    let isUsable: Bool
    /// If it is, its version. If not, the cause and the cure.
    let says: String

    static let ioURing = DatagramEngine(.MSLOT_DATAGRAM_IO_URING)

    private init(_ engine: mslot_datagram_engine) {
        let probed = mslot_datagram_probe(engine)
        isUsable = probed.is_usable
        says = text(of: probed.text)
    }
}
