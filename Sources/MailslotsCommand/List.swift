import ArgumentParser
import Foundation
import Mailslots
import MailslotsProgram

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the mailslots of this machine that you may read.",
        discussion: """
            HIGH is the most messages that were seen to wait. Who looks at a mailslot disturbs nobody. What cannot be looked at is left \
            out, and a line on standard error says so, and why.

              mailslot list --rates 2
              mailslot list --prometheus > mailslots.prom
            """)

    @Option(help: ArgumentHelp("Look twice, so long apart, and show messages a second.", valueName: "seconds"))
    var rates: Seconds?

    @Flag(help: "Print a line of JSON for each.")
    var json = false

    @Flag(help: "Print metrics in the text format of Prometheus.")
    var prometheus = false

    func validate() throws {
        if json && prometheus { throw ValidationError("Choose one of --json and --prometheus.") }
    }

    func run() throws {
        try reportingErrors {
            var look = try Look()
            if let pause = rates?.timeout.duration {
                Thread.sleep(forTimeInterval: pause / .seconds(1))
                look = try Look(after: look)
            }
            if let leftOut = look.leftOut { complain(leftOut) }
            if prometheus {
                try emit(prometheusText(look.infos))
            } else if json {
                try emit(look.infos.map { jsonText(InfoFields($0, look.rates(of: $0))) })
            } else if look.infos.isEmpty {
                if look.skipped.isEmpty { complain("there are no mailslots") }
            } else {
                let columns = rates == nil ? Column.allCases.filter { !$0.isRate } : Column.allCases
                let rows = look.infos.map { info in columns.map { $0.text(info, look.rates(of: info)) } }
                try emit(table(columns.map(\.title), rows, rightAligned: columns.map(\.isNumber)))
            }
        }
    }
}

/// Messages a second.
struct Rates {
    let written: Double
    let read: Double
}

/// All mailslots at some moment, and how they changed since an earlier one.
struct Look {
    let infos: [MailslotInfo]
    /// What the caller may read, and cannot.
    let skipped: [MailslotError]
    let time = ContinuousClock.now
    private let earlier: [String: MailslotInfo]
    private let earlierTime: ContinuousClock.Instant?

    init(after look: Look? = nil) throws(MailslotError) {
        var skipped: [MailslotError] = []
        var infos: [MailslotInfo] = []
        for name in try Mailslot.names(skipped: { skipped.append($0) }) {
            do throws(MailslotError) {
                infos.append(try Mailslot.info(of: name))
            } catch {
                // It ended between the listing and the look.
                if error.code != .notFound { skipped.append(error) }
            }
        }
        self.infos = infos
        self.skipped = skipped
        earlier = Dictionary((look?.infos ?? []).map { ($0.name, $0) }) { first, _ in first }
        earlierTime = look?.time
    }

    /// What was skipped, and why, in a line; `nil`: nothing was.
    var leftOut: String? {
        guard let first = skipped.first else { return nil }
        let others = skipped.count == 1 ? "" : "; and \(skipped.count - 1) more"
        return "left out: \(printable(first.description))\(others)"
    }

    func rates(of info: MailslotInfo) -> Rates? {
        guard let earlierTime else { return nil }
        let seconds = max((time - earlierTime) / .seconds(1), 1e-9)
        // Another mailslot of the same name began at 0.
        let before = earlier[info.name].flatMap { $0.createdNanoseconds == info.createdNanoseconds ? $0 : nil }
        let rate = { (now: UInt64, then: UInt64) in now > then ? Double(now - then) / seconds : 0 }
        return Rates(
            written: rate(info.messagesWritten, before?.messagesWritten ?? 0), read: rate(info.messagesRead, before?.messagesRead ?? 0))
    }
}

/// What `list` and `top` show of a mailslot.
enum Column: String, CaseIterable, ExpressibleByArgument {
    case name, owner, waiting, high, capacity, writers
    case writes, reads
    case full, reader

    var title: String {
        switch self {
        case .writes: "WRITTEN/S"
        case .reads: "READ/S"
        default: rawValue.uppercased()
        }
    }

    /// Sorts `top` by this column.
    var key: Character {
        switch self {
        case .name: "n"
        case .owner: "o"
        case .waiting: "w"
        case .high: "h"
        case .capacity: "c"
        case .writers: "p"
        case .writes: "i"
        case .reads: "r"
        case .full: "f"
        case .reader: "e"
        }
    }

    var isRate: Bool { self == .writes || self == .reads }
    var isNumber: Bool { ![.name, .owner, .reader].contains(self) }

    func text(_ info: MailslotInfo, _ rates: Rates?) -> String {
        switch self {
        case .name: printable(info.name)
        case .owner: userName(info.ownerUserID)
        case .waiting: "\(info.messageCount)"
        case .high: "\(info.highWater)"
        case .capacity: "\(info.capacity)"
        case .writers: "\(info.writerCount)"
        case .writes: rates.map { rounded($0.written) } ?? "-"
        case .reads: rates.map { rounded($0.read) } ?? "-"
        case .full: "\(info.fullWrites)"
        case .reader: info.isSound ? (info.hasReader ? "process \(info.readerProcessID)" : "gone") : "DAMAGED"
        }
    }

    private func number(_ info: MailslotInfo, _ rates: Rates?) -> Double {
        switch self {
        case .waiting: Double(info.messageCount)
        case .high: Double(info.highWater)
        case .capacity: Double(info.capacity)
        case .writers: Double(info.writerCount)
        case .writes: rates?.written ?? 0
        case .reads: rates?.read ?? 0
        case .full: Double(info.fullWrites)
        case .name, .owner, .reader: 0
        }
    }

    /// The infos of a look in this column's order: the greatest number first, texts by the alphabet, equals by their names.
    func sort(_ look: Look, backwards: Bool) -> [MailslotInfo] {
        let keyed = look.infos.map { info in
            let rates = look.rates(of: info)
            return (info: info, number: number(info, rates), text: isNumber ? "" : text(info, rates))
        }
        let sorted = keyed.sorted { a, b in
            if a.number != b.number { return a.number > b.number }
            if a.text != b.text { return a.text < b.text }
            return a.info.name < b.info.name
        }
        return (backwards ? sorted.reversed() : sorted).map(\.info)
    }

    private func rounded(_ rate: Double) -> String {
        switch rate {
        case 1e6...: String(format: "%.1f M", rate / 1e6)
        case 1e4...: String(format: "%.1f k", rate / 1e3)
        case 100...: String(format: "%.0f", rate)
        case 0: "0"
        default: String(format: "%.1f", rate)
        }
    }
}

extension CompletionKind {
    /// The names of the mailslots that are there.
    static var mailslots: CompletionKind { .custom { _, _, prefix in ((try? Mailslot.names()) ?? []).filter { $0.hasPrefix(prefix) } } }
}
