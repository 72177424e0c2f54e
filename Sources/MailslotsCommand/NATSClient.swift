import CMailslotsNATS
import MailslotsProgram

/// Whether this program was built with the NATS client.
enum NATSClient {
    private static let probed = mslot_nats_probe()
    static var isUsable: Bool { probed.is_usable }
    /// If it was, its version. If not, the cause and the cure.
    static var says: String { text(of: probed.text) }
}
