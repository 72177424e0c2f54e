import ArgumentParser
import Foundation
import Mailslots
import MailslotsProgram

struct Read: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Create a mailslot and print what is written to it.",
        discussion: """
            Prints each message as a line, until Ctrl-C, or as --count, --timeout and --until-empty say. A message is given back only \
            after it was printed. If this process is killed, or cannot print because the disk is full or nobody reads the pipe, the \
            mailslot stays, and a reader with --adopt gets what was not printed. The last messages may be printed twice.

            On a terminal, what would be a command to it or deceive the eye is written out, with --raw and --json too: \\x1b, \\u{202e}, \
            \\n, and \\\\ for a backslash. Pipes and files get the bytes as they are.

              mailslot read orders | tee log
              mailslot read --raw --until-empty backup > copy      with: mailslot write --raw --end backup < original
              mailslot read --remote jobs                          also what bridges of other machines bring
            """)

    @Argument(help: "The mailslot's name.", completion: .mailslots)
    var name: String

    @Flag(help: "Read the unread messages of a reader that was killed, or left them, instead of discarding them.")
    var adopt = false

    @Flag(help: "At the end leave what is unread to a reader with --adopt, instead of discarding it.")
    var keepUnread = false

    @Option(help: "How many messages fit: a power of two from 1 to 32768. (default: 1024)")
    var capacity: Int?

    @Option(help: "How many writers there may be at one time. (default: 256)")
    var writers: Int?

    @Option(help: "The longest message in bytes, 1 to \(Mailslot.maximumLongMessageSize). (default: \(Mailslot.maximumMessageSize))")
    var maxSize: Int?

    @Option(help: "Permission bits in octal: 0600 for you, 0660 for your group, 0666 for everybody. (default: 0600)")
    var mode: Mode?

    @Flag(help: "Accept messages from other machines, too, which a bridge of this one brings.")
    var remote = false

    @Flag(help: "Print the bytes of the messages with nothing between them.")
    var raw = false

    @Flag(
        help: """
            Print each message as a line of JSON: position, senderProcessID, origin, and text, or base64 if it is not UTF-8; of one from \
            another machine also authenticated, and host and domain if they are known.
            """)
    var json = false

    @Option(help: "End after this many messages.")
    var count: Int?

    @Option(help: ArgumentHelp("End with status 2 when nothing came for this long.", valueName: "seconds"))
    var timeout: Seconds?

    @OptionGroup var polling: PollingOptions

    @Flag(help: "End at the first message of 0 bytes, and do not print it. (write --end sends one.)")
    var untilEmpty = false

    func validate() throws {
        if raw && json { throw ValidationError("Choose one of --raw and --json.") }
        if let count, count < 1 { throw ValidationError("--count is at least 1.") }
        try validateSizes()
    }

    /// What `Mailslot.create` would call an argument out of range, without saying which.
    private func validateSizes() throws {
        let capacities = 1...32_768
        if let capacity, !capacities.contains(capacity) || capacity.nonzeroBitCount != 1 {
            let next = (0...15).map { 1 << $0 }.first { $0 > capacity } ?? capacities.upperBound
            throw ValidationError("--capacity is a power of two from 1 to 32768, and not \(capacity). Choose \(next).")
        }
        // With --adopt it may be less than the default.
        let most = 65_535 - (capacity ?? (adopt ? 1 : 1024))
        if let writers, !(1...most).contains(writers) {
            throw ValidationError(
                "--writers is 1 to \(most), and not \(writers): with the capacity it is at most 65535. "
                    + "Choose \(min(max(writers, 1), most)).")
        }
        if let maxSize, !(1...Mailslot.maximumLongMessageSize).contains(maxSize) {
            throw ValidationError(
                "--max-size is 1 to \(Mailslot.maximumLongMessageSize), and not \(maxSize). "
                    + "Choose \(min(max(maxSize, 1), Mailslot.maximumLongMessageSize)).")
        }
        if let bits = mode?.permissions.rawValue {
            // As the core allows it: who may only read could hold the mailslot up.
            let next = [0o060, 0o006].filter { bits & $0 == $0 }.reduce(0o600, |)
            guard bits == next else {
                throw ValidationError(
                    "--mode is 0600, 0660, 0606 or 0666, and not 0\(String(bits, radix: 8)): who may read a mailslot could hold it up, "
                        + "so that is only for those who may write it. Choose 0\(String(next, radix: 8)).")
            }
        }
    }

    private func create() throws -> MailslotReader {
        do {
            return try Mailslot.create(
                name, capacity: capacity, maximumWriters: writers, maximumMessageSize: maxSize, permissions: mode?.permissions,
                unread: adopt ? .adopt : .discard, acceptsRemoteMessages: remote,
                polling: polling.chosen)
        } catch {
            // `catch where` on a typed error crashes Swift 6.3.1 here.
            guard error.code == .untrusted else { throw error }
            // A writer may trust whom it likes, but a reader has no use for a mailslot of somebody else.
            let owner = error.ownerUserID.map(userName) ?? "?"
            complain(
                "The name \"\(name)\" is taken by user \(owner), and only that user and root can read there. "
                    + "Use another name, or let them remove it: mailslot remove")
            throw ExitStatus.failure
        }
    }

    func run() throws {
        try reportingErrors {
            var signals = try StopSignals()
            var reader = try create()
            signals.interrupt(reader.interrupter)
            reader.unreadAtEndOfScope = keepUnread ? .keep : .discard
            let left = reader.predecessorUnreadCount
            if left > 0, !adopt {
                complain("discarded \(counted(left)) of a reader that ended without closing; --adopt reads them")
            }
            if isatty(STDERR_FILENO) != 0 {
                let unread = reader.info.messageCount
                complain("reading \"\(reader.info.name)\"\(reader.hasAdoptedMessages ? ", \(unread) unread adopted" : ""); Ctrl-C ends")
            }
            var printer = MessagePrinter(
                of: name, format: raw ? .raw : json ? .json : .lines, stopsAtEmpty: untilEmpty, limit: count)
            let end = try printer.printMessages(of: &reader, timeout: timeout?.timeout ?? .forever, signals)
            let unread = reader.close(unread: keepUnread ? .keep : .discard) + printer.unprinted
            if unread > 0, !keepUnread { complain("discarded \(counted(unread)); --keep-unread leaves them to a reader with --adopt") }
            if let end { throw end }
        }
    }
}

/// "1 unread message", "2 unread messages".
private func counted(_ unread: Int) -> String { "\(unread) unread \(unread == 1 ? "message" : "messages")" }

/// Prints messages until something ends it.
struct MessagePrinter: ~Copyable {
    let name: String
    let stopsAtEmpty: Bool
    let limit: Int?
    private var printed = 0
    /// Messages that were given back with the one at which it stopped, behind it.
    private(set) var unprinted = 0
    private var sawEmpty = false
    private var output: MessageOutput

    /// As many as the output's buffer holds, so that a batch is one write.
    private static let batch = 512

    init(of name: String, format: MessageOutput.Format, stopsAtEmpty: Bool, limit: Int?) {
        self.name = name
        output = MessageOutput(format: format)
        self.stopsAtEmpty = stopsAtEmpty
        self.limit = limit
    }

    private var isDone: Bool { sawEmpty || printed == limit }

    /// Returns the exit status, `nil` for success.
    mutating func printMessages(
        of reader: inout MailslotReader, timeout: MailslotTimeout, _ signals: borrowing StopSignals
    ) throws -> ExitCode? {
        while !isDone {
            do {
                if try printBatch(of: &reader, timeout: timeout) == 0 { return ExitStatus.timeIsUp }
            } catch {
                // A `switch`: `catch where` on a typed error crashes Swift 6.3.1 here.
                switch error.code {
                case .interrupted:
                    return signals.received.map { ExitCode(128 + $0) }
                case .damaged where reader.info.isSound:
                    complain("a message was damaged and skipped: a writer broke the mailslot's rules")
                default:
                    throw error
                }
            }
            if let number = signals.received { return ExitCode(128 + number) }
        }
        return nil
    }

    /// Prints what is there, and gives it back once it is written out.
    private mutating func printBatch(of reader: inout MailslotReader, timeout: MailslotTimeout) throws(MailslotError) -> Int {
        // What comes behind an empty message in its batch is given back with it. So there is none, if it is to be kept.
        let batch = stopsAtEmpty && reader.unreadAtEndOfScope == .keep ? 1 : Self.batch
        let most = limit.map { min(batch, $0 - printed) } ?? batch
        return try reader.withMessages(atMost: stopsAtEmpty ? batch : most, timeout: timeout) { bytes, info in
            append(bytes, info)
        } beforeRelease: {
            output.flush()
            if let failure = output.failure { leave(because: failure) }
        }
    }

    /// What could not be written out was not given back. `exit` closes nothing, so it waits, with all that is unread, as a killed reader's.
    /// A pipe that nobody reads any more is no failure, but somebody may want the messages.
    private func leave(because failure: Int32) -> Never {
        let count = (try? Mailslot.info(of: name))?.messageCount ?? 0
        complain(
            "\(StandardOutput.says(of: failure)). \(count) \(count == 1 ? "message waits" : "messages wait") in \"\(name)\": "
                + "mailslot read --adopt")
        exit(failure == EPIPE ? EXIT_SUCCESS : EXIT_FAILURE)
    }

    private mutating func append(_ bytes: RawSpan, _ info: MailslotMessage.Info) {
        if isDone {
            unprinted += 1
            return
        }
        if stopsAtEmpty && bytes.byteCount == 0 {
            sawEmpty = true
            return
        }
        printed += 1
        output.append(bytes, info)
    }
}

/// Standard output for messages, in one of their formats.
struct MessageOutput: ~Copyable {
    enum Format { case lines, raw, json }

    let format: Format
    /// Pipes and files get the bytes, terminals what they can show.
    private let isTerminal = isatty(STDOUT_FILENO) != 0
    private var output = StandardOutput()
    private var hosts: [UInt16: MailslotHost] = [:]

    init(format: Format) { self.format = format }

    mutating func append(_ bytes: RawSpan, _ info: MailslotMessage.Info) {
        switch format {
        case .raw:
            append(bytes, .stream)
        case .lines:
            append(bytes, .line)
            output.append(UInt8(ascii: "\n"))
        case .json:
            append(line: MessageLine(bytes, info, from: host(of: info.origin)).json)
        }
    }

    /// Asks once for each host: its number and its name stay together.
    private mutating func host(of origin: MailslotOrigin) -> MailslotHost? {
        guard let number = origin.hostNumber else { return nil }
        if let known = hosts[number] { return known }
        let host = try? origin.host()
        hosts[number] = host
        return host
    }

    private mutating func append(_ bytes: RawSpan, _ notation: TerminalNotation) {
        if isTerminal { output.append(unsafe notation.escaped(bytes).span.bytes) } else { output.append(bytes) }
    }

    /// A line of JSON.
    mutating func append(line: String) {
        append(unsafe Array(line.utf8).span.bytes, .json)
        output.append(UInt8(ascii: "\n"))
    }

    mutating func flush() { output.flush() }

    /// What prevented writing, an errno.
    var failure: Int32? { output.failure }

    /// False: whoever read our output has had enough. Anything else that prevents writing is an error. Waits up to `milliseconds` to find
    /// out.
    func isWanted(within milliseconds: Int32 = 0) throws -> Bool {
        if let failure = output.failure {
            if failure == EPIPE { return false }
            complain(StandardOutput.says(of: failure))
            throw ExitStatus.failure
        }
        if milliseconds == 0 { return true }
        var poll = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        // POLLERR - "This bit is also set for a file descriptor referring to the write end of a pipe when the read end has been closed."
        return unsafe Foundation.poll(&poll, 1, milliseconds) <= 0 || poll.revents & Int16(POLLERR | POLLHUP) == 0
    }
}

/// A message as a line of JSON.
struct MessageLine: Encodable {
    let position: UInt64
    let senderProcessID: Int32
    let origin: UInt16
    /// `nil`: it is of this machine.
    let authenticated: Bool?
    let host: String?
    let domain: String?
    let text: String?
    let base64: String?

    init(_ bytes: RawSpan, _ info: MailslotMessage.Info, from host: MailslotHost?) {
        let data = unsafe bytes.withUnsafeBytes { unsafe Data($0) }
        position = info.position
        senderProcessID = info.senderProcessID
        origin = info.origin.rawValue
        authenticated = info.origin.isRemote ? info.origin.isAuthenticated : nil
        self.host = host?.name
        domain = host?.domain
        text = String(data: data, encoding: .utf8)
        base64 = text == nil ? data.base64EncodedString() : nil
    }

    var json: String { jsonText(self) }
}
