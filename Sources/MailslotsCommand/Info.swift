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
            ["name", info.name],
            ["file", "\(file), \(info.segmentSize) bytes, mode 0\(mode), user \(userName(info.ownerUserID))"],
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
            ["written, read", "\(info.written), \(info.read)"],
            ["found full", "\(info.fulls) writes, \(info.writerWaits) waits, \(info.writerWakes) wakes"],
            ["reader slept", "\(info.readerSleeps) times, \(info.readerWakes) wakes, \(info.lateWakes) too late"],
            ["retries", "\(info.retries): another writer was faster"],
            ["recoveries", "\(info.recoveries): writers that ended without closing"],
            ["adoptions", "\(info.adoptions)"],
            ["damaged", "\(info.damaged)\(info.isSound ? "" : ": THE RING IS DESTROYED")"],
        ]
        return table(nil, rows)
    }
}

/// What --json prints of a mailslot. These names are promised.
struct InfoFields: Encodable {
    let name: String, file: String?, capacity: Int, waiting: Int, nextMessageSize: Int?, maximumMessageSize: Int
    let writers: Int, maximumWriters: Int, hasReader: Bool, readerProcessID: Int32, readerUserID: UInt32, ownerUserID: UInt32
    let mode: String, readTimeoutSeconds: Double?, acceptsRemoteMessages: Bool, segmentSize: Int, isSound: Bool
    let created: Double, readerSince: Double
    let written: UInt64, read: UInt64, fulls: UInt64, writerWaits: UInt64, writerWakes: UInt64
    let readerSleeps: UInt64, readerWakes: UInt64, adoptions: UInt64, damaged: UInt64
    let owner: String, highWater: Int, retries: UInt64, recoveries: UInt64, lateWakes: UInt64
    /// Only where two looks were taken.
    let writtenPerSecond: Double?, readPerSecond: Double?

    init(_ info: MailslotInfo, _ rates: Rates? = nil) {
        name = info.name
        file = try? Mailslot.path(of: info.name)
        capacity = info.capacity
        waiting = info.messageCount
        nextMessageSize = info.nextMessageSize
        maximumMessageSize = info.maximumMessageSize
        writers = info.writerCount
        maximumWriters = info.maximumWriters
        hasReader = info.hasReader
        readerProcessID = info.readerProcessID
        readerUserID = info.readerUserID
        ownerUserID = info.ownerUserID
        mode = "0" + String(info.permissions.rawValue, radix: 8)
        readTimeoutSeconds = info.readTimeout.duration.map { $0 / .seconds(1) }
        acceptsRemoteMessages = info.acceptsRemoteMessages
        segmentSize = info.segmentSize
        isSound = info.isSound
        created = Double(info.createdNanoseconds) / 1e9
        readerSince = Double(info.readerSinceNanoseconds) / 1e9
        written = info.written
        read = info.read
        fulls = info.fulls
        writerWaits = info.writerWaits
        writerWakes = info.writerWakes
        readerSleeps = info.readerSleeps
        readerWakes = info.readerWakes
        adoptions = info.adoptions
        damaged = info.damaged
        owner = userName(info.ownerUserID)
        highWater = info.highWater
        retries = info.retries
        recoveries = info.recoveries
        lateWakes = info.lateWakes
        writtenPerSecond = rates?.written
        readPerSecond = rates?.read
    }
}
