#if Bridge
    import ArgumentParser
    import Foundation
    import Mailslots

    // The commands that look at mailslots, and the one that removes what a killed reader left.

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the mailslots of this machine that you may read.")

        @Flag(help: "Print a line of JSON for each.")
        var json = false

        func run() throws {
            try reportingErrors {
                // One that ends between the listing and the look is left out.
                let infos = try Mailslot.list().compactMap { try? Mailslot.info($0) }
                if json {
                    for info in infos { print(jsonText(InfoFields(info))) }
                    return
                }
                if infos.isEmpty {
                    complain("there are no mailslots")
                    return
                }
                let rows = infos.map { info in
                    [
                        info.name, "\(info.messageCount)", "\(info.capacity)", "\(info.writerCount)",
                        info.hasReader ? "process \(info.readerProcessID)" : "gone",
                    ]
                }
                print(table(["NAME", "WAITING", "CAPACITY", "WRITERS", "READER"], rows))
            }
        }
    }

    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one mailslot: what waits in it, who has it, its counters.")

        @Argument(help: "The mailslot's name.")
        var name: String

        @Flag(help: "Print JSON.")
        var json = false

        func run() throws {
            try reportingErrors {
                let info = try Mailslot.info(name)
                if json {
                    print(jsonText(InfoFields(info), pretty: true))
                    return
                }
                let seconds = { (nanoseconds: UInt64) in Date(timeIntervalSince1970: Double(nanoseconds) / 1e9).formatted(.iso8601) }
                let mode = String(info.permissions.rawValue, radix: 8)
                let rows: [[String]] = [
                    ["name", info.name],
                    ["file", "\(try Mailslot.path(name)), \(info.segmentSize) bytes, mode 0\(mode), user \(info.ownerUserID)"],
                    ["reader", info.hasReader ? "process \(info.readerProcessID) of user \(info.readerUserID)" : "gone without closing"],
                    ["since", seconds(info.readerSinceNanoseconds)],
                    ["created", seconds(info.createdNanoseconds)],
                    ["writers", "\(info.writerCount) of \(info.maximumWriters)"],
                    ["waiting", "\(info.messageCount) of \(info.capacity) messages"],
                    ["next message", info.nextMessageSize.map { "\($0) bytes" } ?? "none"],
                    ["longest message", "\(info.maximumMessageSize) bytes"],
                    ["read time-out", info.readTimeout.duration.map { "\($0)" } ?? "for ever"],
                    ["remote messages", info.acceptsRemoteMessages ? "accepted" : "refused"],
                    ["written, read", "\(info.written), \(info.read)"],
                    ["found full", "\(info.fulls) writes, \(info.writerWaits) waits, \(info.writerWakes) wakes"],
                    ["reader slept", "\(info.readerSleeps) times, \(info.readerWakes) wakes"],
                    ["adoptions", "\(info.adoptions)"],
                    ["damaged", "\(info.damaged)\(info.isSound ? "" : ": THE RING IS DESTROYED")"],
                ]
                print(table(nil, rows))
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove mailslots whose readers are gone, with their unread messages.",
            discussion: "A reader that ends in order removes its mailslot itself. One that was killed leaves it, for a reader with --adopt."
        )

        @Argument(help: "The mailslots' names.")
        var names: [String]

        func run() throws {
            for name in names { try reportingErrors { try Mailslot.remove(name) } }
        }
    }

    /// What --json prints of a mailslot. These names are promised.
    struct InfoFields: Encodable {
        let name: String, file: String?, capacity: Int, waiting: Int, nextMessageSize: Int?, maximumMessageSize: Int
        let writers: Int, maximumWriters: Int, hasReader: Bool, readerProcessID: UInt32, readerUserID: UInt32, ownerUserID: UInt32
        let mode: String, readTimeoutSeconds: Double?, acceptsRemoteMessages: Bool, segmentSize: Int, isSound: Bool
        let created: Double, readerSince: Double
        let written: UInt64, read: UInt64, fulls: UInt64, writerWaits: UInt64, writerWakes: UInt64
        let readerSleeps: UInt64, readerWakes: UInt64, adoptions: UInt64, damaged: UInt64

        init(_ info: MailslotInfo) {
            name = info.name
            file = try? Mailslot.path(info.name)
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
        }
    }

    /// Rows with their columns aligned to the left.
    func table(_ head: [String]?, _ rows: [[String]]) -> String {
        let all = (head.map { [$0] } ?? []) + rows
        let widths = all.reduce(into: [Int]()) { widths, row in
            for (column, text) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], text.count)
            }
        }
        return all.map { row in
            row.enumerated().map { column, text in
                column == row.count - 1 ? text : text + String(repeating: " ", count: widths[column] - text.count + 2)
            }.joined()
        }.joined(separator: "\n")
    }
#endif
