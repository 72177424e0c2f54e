import ArgumentParser
import Foundation
import Logging
import Mailslots
import MailslotsBridge

/// One bridge of a measurement: a process of its own, until it is killed. What it logs goes to the file `log` in its directory.
struct BridgeSide: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "bridge-side", shouldDisplay: false)

    @Argument(help: "Its directory of mailslots.") var directory: String
    @Argument var host: String
    @Argument var port: UInt16
    @Argument var otherHost: String
    @Argument var otherPort: UInt16
    @Argument var engine: String

    func validate() throws {
        guard UDPSettings.Engine(rawValue: engine) != nil else { throw ValidationError("There is no engine \(engine).") }
    }

    private static let address = "127.0.0.1"

    private var bridge: BridgeConfiguration {
        // Everybody who runs this program makes the same key: it seals as any other does.
        var configuration = BridgeConfiguration(host: host, domain: "bench", key: BridgeKey((0..<32).map { UInt8(7 * $0 + 1) }))
        configuration.domains[0].groups = []
        configuration.domains[0].peers = [BridgePeer(address: Self.address, port: otherPort, host: otherHost)]
        configuration.network.port = port
        configuration.network.addresses = [Self.address]
        configuration.network.engine = UDPSettings.Engine(rawValue: engine) ?? .automatic
        return configuration
    }

    func run() throws {
        setenv("MAILSLOT_DIRECTORY", directory, 1)
        let log = open(directory + "/log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        if log >= 0 { dup2(log, STDERR_FILENO) }
        // A Swift thread of the driver may have blocked what ends this.
        var none = sigset_t()
        sigemptyset(&none)
        sigprocmask(SIG_SETMASK, &none, nil)
        let waiter = Result<Void, any Error>.Waiter()
        let bridge = bridge
        Task {
            do {
                try await Bridge(bridge, logger: Logger(label: "bridge")).run()
                waiter.set(.success(()))
            } catch {
                waiter.set(.failure(error))
            }
        }
        try waiter.get()
    }
}
