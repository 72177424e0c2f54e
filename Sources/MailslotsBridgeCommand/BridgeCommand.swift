import ArgumentParser
import CMailslotsCommand
import Foundation
import Logging
import Mailslots
import MailslotsBridge
import MailslotsKeys
import MailslotsProgram
import ServiceLifecycle
import UnixSignals

@main
struct BridgeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mailslot-bridge",
        abstract: "Carry messages between the mailslots of this machine and those of others.",
        discussion: """
            While it runs, processes here write to '\\\\host\\mailslot\\name', '\\\\domain\\mailslot\\name' and '\\\\*\\mailslot\\name', \
            and what others send arrives in mailslots here that accept it (mailslot read --remote). Machines find each other by multicast; \
            those that it does not reach are named with --peer, or all go through NATS servers. Messages are sealed with the domain's key.

              mailslot-bridge --domain studio --key studio.key
              mailslot-bridge --domain studio --key studio.key --peer 192.0.2.7
              mailslot-bridge --domain studio --key studio.key --nats nats://10.0.0.5:4222
              mailslot-bridge --config /etc/mailslots/bridge.json

            Options go before environment variables (MAILSLOT_BRIDGE_NETWORK_PORT), these before the file. SIGTERM and Ctrl-C end it \
            when it has sent what was written; SIGHUP reads the files again; a signal that was ignored when it started, as by nohup, stays \
            ignored. It logs to standard error.

            `mailslot bridge` is this program. Exit status: 0 success, 1 failure, 3 with --status: no bridge runs, 4 a bridge runs \
            already, 64 wrong usage.
            """,
        version: programVersion)

    @OptionGroup var options: BridgeOptions

    @Flag(help: "Read the configuration and the keys, say what they mean, and end: with status 1 if this machine lacks what they need.")
    var check = false

    @Flag(help: "Print what the bridge that runs here has counted, what was dropped by cause, and what went wrong of late.")
    var status = false

    @Option(
        help: ArgumentHelp("What is logged: \(Self.levels.joined(separator: ", ")). (default: info)", valueName: "level"),
        completion: .list(Self.levels), transform: level)
    var logLevel = Logger.Level.info

    @Flag(help: .hidden)
    var keyID = false

    private static let levels = Logger.Level.allCases.map(\.rawValue)
    private static func level(_ name: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: name) else {
            throw ValidationError("--log-level is one of \(levels.joined(separator: ", ")).")
        }
        return level
    }

    static func main() { begin(checking: refuseMistakesForHelp) }

    func run() throws {
        warnOfAnotherRelease()
        try reportingErrors {
            if keyID { return try printKeyID() }
            if status { return try printStatus() }
            let configuration = try options.configuration()
            if check {
                try emit(table(nil, configuration.facts.map { [$0.name, $0.says] }))
                return try configuration.checkTransportIsUsable()
            }
            try serve(configuration)
        }
    }

    /// Nothing ends for it: what the two share are mailslots, and another layout of those is an error anyway.
    private func warnOfAnotherRelease() {
        guard let other = ProcessInfo.processInfo.environment[programVersionVariable], other != programVersion else { return }
        complain("this is version \(programVersion), and mailslot is version \(other): install both of one release")
    }

    private func printStatus() throws {
        let status = try BridgeStatus.read()
        try emit(table(nil, status.counts.map { [printable($0.name), "\($0.value)"] }, rightAligned: [false, true]))
        for notice in status.notices {
            let time = Date(timeIntervalSince1970: Double(notice.time)).formatted(.iso8601)
            try emit("\(time) \(printable(notice.text))")
        }
    }

    /// For `mailslot keygen`, which does without cryptography: the id of the key whose 32 bytes standard input has.
    private func printKeyID() throws {
        let bytes = try FileHandle.standardInput.read(upToCount: KeyFile.byteCount + 1) ?? Data()
        guard let key = BridgeKey([UInt8](bytes)) else { throw ValidationError("A key has \(KeyFile.byteCount) bytes.") }
        try emit("\(key)")
    }

    private func serve(_ configuration: BridgeConfiguration) throws {
        var logger = Logger(label: "mailslot.bridge") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = logLevel
        configuration.log(to: logger)

        let bridge = try Bridge(configuration, logger: logger)
        let reloads = command_ignores(SIGHUP) ? [] : [Reloader(bridge: bridge, options: options, logger: logger)]
        let group = ServiceGroup(
            services: [bridge] + reloads, gracefulShutdownSignals: heard([.sigterm, .sigint]), cancellationSignals: heard([.sigquit]),
            logger: logger)
        try waitFor { try await group.run() }
    }
}

/// A signal that whoever started the program ignores, as nohup does, stays ignored.
private func heard(_ signals: [UnixSignal]) -> [UnixSignal] { signals.filter { !command_ignores($0.rawValue) } }

/// Gives the bridge its configuration anew at each SIGHUP. One that cannot be changes nothing.
private struct Reloader: Service {
    let bridge: Bridge
    let options: BridgeOptions
    let logger: Logger

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            do {
                let configuration = try options.configuration()
                try await bridge.reload(configuration)
                configuration.log(to: logger)
            } catch {
                logger.error("The bridge goes on with the configuration that it had.", metadata: ["error": "\(error)"])
            }
        }
    }
}

extension BridgeConfiguration {
    fileprivate func log(to logger: Logger) {
        for fact in facts { logger.debug("\(fact.name): \(fact.says)") }
        for domain in domains where domain.key == nil {
            logger.warning("The domain \(domain.name) has no key: everybody can read and forge its messages.")
        }
    }
}

/// Runs a task to its end, while this thread sleeps.
private func waitFor(_ body: @escaping @Sendable () async throws -> Void) throws {
    let outcome = Locked<Result<Void, any Error>>(.success(()))
    let end = DispatchSemaphore(value: 0)
    Task.detached {
        do { try await body() } catch { outcome.withLock { $0 = .failure(error) } }
        end.signal()
    }
    end.wait()
    try outcome.withLock { try $0.get() }
}
