import ArgumentParser
import Foundation
import Mailslots
import MailslotsProgram

struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show mailslots: what waits in them, who has them, their counters.")

    @Argument(help: "The mailslots' names.", completion: .mailslots)
    var names: [String]

    @Flag(help: "Print JSON: one object for one name, a line for each of several.")
    var json = false

    @Flag(help: "Print metrics in the text format of Prometheus.")
    var prometheus = false

    func validate() throws {
        if json && prometheus { throw ValidationError("Choose one of --json and --prometheus.") }
    }

    /// Shows all that can be shown; the status is that of the first that cannot.
    func run() throws {
        var infos: [MailslotInfo] = []
        var failure: (any Error)?
        for name in names {
            do { try reportingErrors { infos.append(try Mailslot.info(of: name)) } } catch { failure = failure ?? error }
        }
        if prometheus {
            try emit(prometheusText(infos))
        } else if json {
            try emit(infos.map { jsonText(InfoFields($0), pretty: names.count == 1) })
        } else if !infos.isEmpty {
            try emit(infos.map(Self.text).joined(separator: "\n\n"))
        }
        if let failure { throw failure }
    }

    private static func text(_ info: MailslotInfo) -> String {
        let time = { (nanoseconds: UInt64) in Date(timeIntervalSince1970: Double(nanoseconds) / 1e9).formatted(.iso8601) }
        let mode = String(info.permissions.rawValue, radix: 8)
        let file = (try? Mailslot.path(of: info.name)) ?? "?"
        let rows: [[String]] = [
            ["name", printable(info.name)],
            ["file", "\(printable(file)), \(info.segmentSize) bytes, mode 0\(mode), user \(userName(info.ownerUserID))"],
            [
                "reader",
                info.hasReader ? "process \(info.readerProcessID) of user \(userName(info.readerUserID))" : "gone without closing",
            ],
            ["since", time(info.readerSinceNanoseconds)],
            ["created", time(info.createdNanoseconds)],
            ["writers", "\(info.writerCount) of \(info.maximumWriters)"],
            ["waiting", "\(info.messageCount) of \(info.capacity) messages; \(info.highWater) at most so far"],
            ["next message", info.nextMessageSize.map { "\($0) bytes" } ?? "none"],
            ["longest message", "\(info.maximumMessageSize) bytes"],
            ["read time-out", info.readTimeout.duration.map { "\($0)" } ?? "for ever"],
            ["remote messages", info.acceptsRemoteMessages ? "accepted" : "refused"],
            ["ring", info.isSound ? "sound" : "DESTROYED"],
        ]
        return table(nil, rows + info.counters.map { [words(of: $0.name), "\($0.value): \(phrase($0.help))"] })
    }
}

/// A name in camel case as words: `full writes`.
private func words(of name: String) -> String {
    name.reduce("") { $0 + ($1.isUppercase ? " \($1.lowercased())" : String($1)) }
}

/// A sentence as a part of another, without its full stop.
private func phrase(_ sentence: String) -> String {
    sentence.prefix(1).lowercased() + sentence.dropFirst().prefix { $0 != "." }
}

/// What --json prints of a mailslot. The names are promised: those of a ``MailslotInfo``, which decodes from it, and some for people.
struct InfoFields: Encodable {
    private let info: MailslotInfo
    private let forPeople: [String: any Encodable]

    /// - Parameter rates: Only where two looks were taken.
    init(_ info: MailslotInfo, _ rates: Rates? = nil) {
        self.info = info
        let fields: [String: (any Encodable)?] = [
            "file": try? Mailslot.path(of: info.name), "mode": "0" + String(info.permissions.rawValue, radix: 8),
            "owner": userName(info.ownerUserID), "created": Double(info.createdNanoseconds) / 1e9,
            "readerSince": Double(info.readerSinceNanoseconds) / 1e9,
            "readTimeoutSeconds": info.readTimeout.duration.map { $0 / .seconds(1) }, "messagesWrittenPerSecond": rates?.written,
            "messagesReadPerSecond": rates?.read,
        ]
        forPeople = fields.compactMapValues { $0 }
    }

    func encode(to encoder: any Encoder) throws {
        try info.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        for (name, value) in forPeople { try container.encode(value, forKey: Key(stringValue: name)) }
    }

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
