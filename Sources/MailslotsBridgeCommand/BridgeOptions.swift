import ArgumentParser
import Foundation
import Mailslots
import MailslotsBridge
import MailslotsProgram

/// What `mailslot-bridge` is told.
struct BridgeOptions: ParsableArguments {
    @Option(help: "A JSON file of settings; the options below go before what it says.", completion: .file(extensions: ["json"]))
    var config: String?

    @Option(help: "The domain that this machine is in: a name that all its machines share.")
    var domain: String?

    @Option(help: ArgumentHelp("The domain's key, which mailslot keygen made.", valueName: "file"), completion: .file())
    var key: String?

    @Flag(help: "Do without a key: everybody in the network can read and forge messages.")
    var insecure = false

    @Option(help: "This machine's name. (default: its host name up to the first dot)")
    var host: String?

    @Option(
        help: ArgumentHelp(
            "A machine that multicast does not reach, as 192.0.2.7 or [2001:db8::7]:4240. Repeat it.",
            valueName: "[host=]address[:port]"))
    var peer: [String] = []

    @Option(help: ArgumentHelp("A multicast group. Repeat it. (default: \(Self.defaultGroups))", valueName: "address"))
    var group: [String] = []

    @OptionGroup var udp: UDPOptions

    @OptionGroup(title: "NATS options") var nats: NATSOptions

    @Option(help: "Who may send, as permission bits in octal: 0600 you, 0660 also your group, 0666 everybody. (default: 0600)")
    var mode: Mode?

    private static let defaultGroups = UDPSettings.defaultGroups.joined(separator: ", ")

    func configuration() throws(BridgeError) -> BridgeConfiguration {
        var flags = BridgeFlags()
        flags.domain = domain
        flags.key = key
        flags.isInsecure = insecure
        flags.host = host
        flags.peers = peer
        flags.groups = group
        flags.udp = udp.flags
        flags.nats = nats.flags
        flags.permissions = mode.map { String($0.permissions.rawValue, radix: 8) }
        return try BridgeConfiguration(file: config, environment: ProcessInfo.processInfo.environment, flags: flags)
    }
}
