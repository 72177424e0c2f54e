import ArgumentParser
import MailslotsBridge

/// What `mailslot-bridge` is told of UDP; the rest is in the configuration file.
struct UDPOptions: ParsableArguments {
    @Option(help: "UDP port. (default: \(UDPSettings.defaultPort))")
    var port: Int?

    @Option(help: "An address of this machine to listen on. Repeat it. (default: all)")
    var address: [String] = []

    @Option(help: "An interface by which multicast goes. Repeat it. (default: as the kernel's routes say)")
    var interface: [String] = []

    @Option(
        help: "How datagrams are sent: \(Self.engines.joined(separator: ", ")). (default: \(Self.engines[0]))",
        completion: .list(Self.engines))
    var engine: String?

    private static let engines = UDPSettings.Engine.allCases.map(\.rawValue)

    var flags: UDPFlags {
        var flags = UDPFlags()
        flags.port = port
        flags.addresses = address
        flags.interfaces = interface
        flags.engine = engine
        return flags
    }
}
