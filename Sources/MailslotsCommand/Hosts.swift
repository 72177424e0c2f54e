import ArgumentParser
import Foundation
import Mailslots
import MailslotsProgram

struct Hosts: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the machines that this one's bridge knows.",
        discussion: """
            A machine is "there" while it is heard of, and "gone" when it said goodbye, or was silent for three announcements. KEY says \
            whether it has its domain's key. What the bridge says is trusted if it runs as you or root, or as whom an option names.

              mailslot hosts
              mailslot hosts --json
            """)

    @Flag(help: "Print a line of JSON for each.")
    var json = false

    @OptionGroup var trust: TrustOptions

    func run() throws {
        try reportingErrors {
            let hosts = try Mailslot.hosts(trusting: trust.trust).map(KnownHost.init)
            if json {
                try emit(hosts.map { jsonText($0) })
            } else if hosts.isEmpty {
                complain("the bridge has heard of no other machine yet")
            } else {
                try emit(table(KnownHost.titles, hosts.map { $0.row(now: Date()) }))
            }
            if runningBridge() == nil { complain("no bridge runs here: this is what the last one knew") }
        }
    }

}

/// What the bridge of this machine's mailslots reads; `nil`: none runs.
func runningBridge() -> MailslotInfo? { (try? Mailslot.info(of: "bridge/requests")).flatMap { $0.hasReader ? $0 : nil } }

/// What --json prints of a host. These names are promised.
struct KnownHost: Encodable {
    let host: String, domain: String, address: String, isPresent: Bool, isAuthenticated: Bool
    /// Seconds since 1970.
    let heard: Double
    /// In the `origin` of its messages.
    let number: UInt16

    init(_ host: MailslotHost) {
        self.host = host.name
        domain = host.domain
        address = host.address
        isPresent = host.isPresent
        isAuthenticated = host.isAuthenticated
        heard = Double(host.heardNanoseconds) / 1e9
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
