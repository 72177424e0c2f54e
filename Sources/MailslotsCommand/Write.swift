import ArgumentParser
import Foundation
import Mailslots
import MailslotsProgram

struct Write: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write messages to a mailslot.",
        discussion: """
            Each TEXT is a message; -- goes before one that begins with -. Without one, each line of standard input is, or with --raw \
            every --size bytes. Waits for room when the mailslot is full.

              mailslot write orders "hello" "world"
              mailslot write orders -- "$text"
              tail -f log | mailslot write orders
              mailslot write --raw --end backup < original

            To mailslots of other machines, of at most 424 bytes a message, while a bridge runs here (mailslot bridge). That it was \
            written does not mean that it arrived:

              mailslot write '\\\\render7\\mailslot\\jobs' "to one machine"
              mailslot write '\\\\studio\\mailslot\\jobs' "to all machines of a domain"
              mailslot write '\\\\*\\mailslot\\jobs' "to all of this machine's first domain"
            """)

    @Argument(help: "The mailslot's name.", completion: .mailslots)
    var name: String

    @Argument(help: "Messages.")
    var text: [String] = []

    @Flag(help: "Cut standard input into messages of --size bytes, whatever they are; the last may be shorter.")
    var raw = false

    @Option(help: "With --raw: bytes a message, 1 to 424, or to what the mailslot was created for.")
    var size: Int = Mailslot.maximumMessageSize

    @Flag(help: "Write a message of 0 bytes at the end, for read --until-empty.")
    var end = false

    @Option(help: ArgumentHelp("Wait this long for a reader to appear.", valueName: "seconds"))
    var wait: Seconds?

    @Option(help: ArgumentHelp("Wait this long for room, then end with status 2. (default: as long as it takes)", valueName: "seconds"))
    var timeout: Seconds?

    @Flag(help: "When the reader is killed, or leaves, wait for one that adopts the mailslot.")
    var throughRestarts = false

    @OptionGroup var polling: PollingOptions

    @Flag(help: "Leave the fastest lane, which one writer has at a time, to those that write often.")
    var leaveExpressLane = false

    @OptionGroup var trust: TrustOptions

    func validate() throws {
        if raw && !text.isEmpty { throw ValidationError("--raw is for standard input.") }
        if size < 1 || size > Mailslot.maximumLongMessageSize {
            throw ValidationError("--size is 1 to \(Mailslot.maximumLongMessageSize).")
        }
    }

    /// Who runs this with what a program gives must not be told that it was written when it was taken for a wish for help.
    static func refuseHelpForMessage(_ arguments: [String]) throws {
        guard arguments.first == "write", arguments.count > 2 else { return }
        try refuse(
            "nothing was written, for one of the arguments asks for help or the version. Write -- before messages that begin with -; "
                + "the help is: mailslot write --help")
    }

    func run() throws {
        try reportingErrors {
            let writer = try Mailslot.open(
                name, waitingUpTo: wait?.timeout ?? .now, trusting: trust.trust,
                onReaderDeath: throughRestarts ? .wait : .fail, leavesExpressLane: leaveExpressLane, polling: polling.chosen)
            var messages = MessageWriter(writer: writer, timeout: timeout?.timeout ?? .forever)
            if !text.isEmpty {
                for message in text {
                    try messages.write(unsafe Array(message.utf8).span.bytes, what: "the message \"\(message.prefix(20))…\"")
                }
            } else if raw {
                try messages.writeRecords(ofSize: size)
            } else {
                try messages.writeLines()
            }
            if end { try messages.write(RawSpan(), what: "the end") }
        }
    }
}

/// Standard input, cut into messages.
struct MessageWriter: ~Copyable {
    var writer: MailslotWriter
    let timeout: MailslotTimeout

    mutating func write(_ bytes: RawSpan, what: @autoclosure () -> String) throws {
        do {
            guard try writer.write(bytes, timeout: timeout) == .written else {
                complain("there was no room in time; \(what()) was not written, nor what follows")
                throw ExitStatus.timeIsUp
            }
        } catch let error as MailslotError where error.code == .tooLong {
            complain(
                "\(what()) has \(bytes.byteCount) bytes; a message has at most \(writer.info.maximumMessageSize). "
                    + "It was not written, nor what follows. For data that has no lines use --raw.")
            throw ExitStatus.failure
        }
    }

    mutating func writeRecords(ofSize size: Int) throws {
        var input = StandardInput(longest: size)
        var number = 0
        while true {
            try input.fill(atLeast: size)
            if input.window.isEmpty { return }
            // Whole records; at the end of the input also what is left.
            while input.window.count >= size || (input.isAtEnd && !input.window.isEmpty) {
                let count = min(size, input.window.count)
                number += 1
                try write(unsafe input.storage.span.bytes.extracting(input.window.prefix(count)), what: "record \(number)")
                input.consume(count)
            }
        }
    }

    mutating func writeLines() throws {
        let longest = writer.info.maximumMessageSize
        var input = StandardInput(longest: longest)
        var number = 0
        while true {
            try input.fill(atLeast: 1)
            if input.window.isEmpty { return }
            while !input.window.isEmpty {
                let length = indexOfNewline(in: unsafe input.storage.span.bytes.extracting(input.window))
                // Half a line at the end of the window: more may come. A line that is too long already is reported, not awaited.
                let mayGrow = length == nil && !input.isAtEnd && input.window.count <= longest
                if mayGrow {
                    try input.fillMore()
                    continue
                }
                let count = length ?? input.window.count
                number += 1
                try write(unsafe input.storage.span.bytes.extracting(input.window.prefix(count)), what: "line \(number)")
                input.consume(length == nil ? count : count + 1)
            }
        }
    }
}

private func indexOfNewline(in bytes: RawSpan) -> Int? {
    unsafe bytes.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress, let found = unsafe memchr(base, Int32(UInt8(ascii: "\n")), bytes.count) else { return nil }
        return unsafe UnsafeRawPointer(found) - base
    }
}
