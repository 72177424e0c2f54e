import ArgumentParser
import Foundation
import Mailslots
import MailslotsProgram

struct Tail: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print messages without taking them from the reader.",
        discussion: """
            Shows the last messages, read or not, then each new one, until Ctrl-C. It only looks: it takes no writer's place, and nobody \
            waits for it. So it may be overtaken: it then says how many messages it missed, and every message that it shows is whole. \
            A message of more than 424 bytes can be seen only until the reader takes it. A terminal gets what it can show, as from read.

              mailslot tail orders
              mailslot tail orders --last 100 --no-follow --json
            """)

    @Argument(help: "The mailslot's name.", completion: .mailslots)
    var name: String

    @Option(help: "Begin with so many of the messages that are there.")
    var last = 10

    @Flag(inversion: .prefixedNo, help: "Go on with new messages as they come.")
    var follow = true

    @Flag(help: "Print the bytes of the messages with nothing between them.")
    var raw = false

    @Flag(help: "Print each message as a line of JSON, as read --json, and what was missed as {\"missed\":N}.")
    var json = false

    @Option(help: "End after this many messages.")
    var count: Int?

    @Option(help: ArgumentHelp("End with status 2 when nothing came for this long.", valueName: "seconds"))
    var timeout: Seconds?

    func validate() throws {
        if raw && json { throw ValidationError("Choose one of --raw and --json.") }
        if last < 0 { throw ValidationError("--last is 0 or more.") }
        if let count, count < 1 { throw ValidationError("--count is at least 1.") }
    }

    func run() throws {
        try reportingErrors {
            try Mailslot.guardAgainstTruncation()
            var watched = try Mailslot.observe(name, includingLast: last)
            var output = MessageOutput(format: raw ? .raw : json ? .json : .lines)
            defer { output.flush() }
            try show(&watched, &output)
            output.flush()
            _ = try output.isWanted()
        }
    }

    /// Between two looks, in milliseconds. Nobody wakes an observer.
    private static let shortestPause: Int32 = 1
    private static let longestPause: Int32 = 20

    private func show(_ watched: inout MailslotObserver, _ output: inout MessageOutput) throws {
        var shown = 0
        var missed: UInt64 = 0
        var pause = Self.shortestPause
        var lastCame = ContinuousClock.now
        while shown < count ?? .max {
            let message: MailslotMessage?
            do { message = try watched.next() } catch {
                reportMissed(watched.messagesMissed - missed, &output)
                throw error
            }
            reportMissed(watched.messagesMissed - missed, &output)
            missed = watched.messagesMissed
            if let message {
                message.withBytes { output.append($0, message.info) }
                shown += 1
                lastCame = .now
                pause = Self.shortestPause
                continue
            }
            output.flush()
            if !follow { return }
            if let limit = timeout?.timeout.duration, ContinuousClock.now - lastCame >= limit {
                complain("nothing came in time")
                throw ExitStatus.timeIsUp
            }
            if try !output.isWanted(within: pause) { return }
            pause = min(2 * pause, Self.longestPause)
        }
    }

    private func reportMissed(_ count: UInt64, _ output: inout MessageOutput) {
        if count == 0 { return }
        if json {
            output.append(line: "{\"missed\":\(count)}")
        } else {
            output.flush()
            complain("\(count) \(count == 1 ? "message was" : "messages were") gone before they could be shown")
        }
    }
}
