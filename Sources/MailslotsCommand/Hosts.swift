#if Bridge
    import ArgumentParser
    import CMailslots
    import Foundation
    import Mailslots

    struct Hosts: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the machines that this one's bridge knows.",
            discussion: """
                A machine is "there" while it is heard of, and "gone" when it said goodbye, or was silent for three announcements. KEY says \
                whether it has its domain's key.

                  mailslot hosts
                  mailslot hosts --json
                """)

        @Flag(help: "Print a line of JSON for each.")
        var json = false

        @Flag(help: "Trust what a bridge of any user says, not only your own and root's.")
        var trustAnyone = false

        func run() throws {
            try reportingErrors {
                let hosts = try knownHosts(trustingAnyone: trustAnyone)
                if json {
                    try emit(hosts.map { jsonText($0) })
                } else if hosts.isEmpty {
                    complain("the bridge has heard of no other machine yet")
                } else {
                    try emit(table(KnownHost.titles, hosts.map { $0.row(now: Date()) }))
                }
                if !isBridgeRunning { complain("no bridge runs here: this is what the last one knew") }
            }
        }

        private var isBridgeRunning: Bool { (try? Mailslot.info("bridge/requests"))?.hasReader == true }
    }

    /// What --json prints of a host. These names are promised.
    struct KnownHost: Encodable {
        let host: String, domain: String, address: String, isPresent: Bool, isAuthenticated: Bool
        /// Seconds since 1970.
        let heard: Double
        /// In the `origin` of its messages.
        let number: UInt16

        init(_ host: mslot_host) {
            self.host = text(of: host.host)
            domain = text(of: host.domain)
            address = text(of: host.address)
            isPresent = host.is_present
            isAuthenticated = host.is_authenticated
            heard = Double(host.heard_ns) / 1e9
            number = host.number
        }

        static let titles = ["HOST", "DOMAIN", "ADDRESS", "STATE", "KEY", "HEARD"]

        func row(now: Date) -> [String] {
            let age = Duration.seconds(max(0, now.timeIntervalSince1970 - heard).rounded())
            let ago = age.formatted(.units(allowed: [.days, .hours, .minutes, .seconds], width: .narrow, maximumUnitCount: 2))
            return [
                printable(host), printable(domain), printable(address), isPresent ? "there" : "gone", isAuthenticated ? "yes" : "NO",
                "\(ago) ago",
            ]
        }
    }

    private func knownHosts(trustingAnyone: Bool) throws -> [KnownHost] {
        final class List { var hosts: [KnownHost] = [] }
        let list = List()
        var failure = unsafe mslot_hosts_list(
            { host, context in
                // Sound: the context is `list`, which outlives the call.
                guard let host = unsafe host, let context = unsafe context else { return }
                unsafe Unmanaged<List>.fromOpaque(context).takeUnretainedValue().hosts.append(KnownHost(host.pointee))
            }, Unmanaged.passUnretained(list).toOpaque(), trustingAnyone ? MSLOT_TRUST_ANYONE : MSLOT_TRUST_NOBODY_ELSE)
        if failure.outcome == .done { return list.hosts }
        var says = [CChar](repeating: 0, count: 1024)
        _ = unsafe mslot_describe(&failure, nil, &says, says.count)
        complain(unsafe says.withUnsafeBytes { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        throw failure.outcome == .notFound ? ExitStatus.noMailslot : ExitStatus.failure
    }
#endif
