import ArgumentParser
import Foundation
import Mailslots
import MailslotsBridge

@main
struct MailslotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mailslot",
        abstract: "Send small messages between processes, of this machine and of others.",
        discussion: """
            One process reads a mailslot, any number of processes write to it:

              mailslot read orders                    in one terminal
              mailslot write orders "hello"           in another

            Names are "orders", "app/orders", or \\\\.\\mailslot\\app\\orders. A mailslot is a file in /dev/shm, or in the directory that \
            MAILSLOT_DIRECTORY names.

            Between machines, with one bridge on each and the same key:

              mailslot keygen studio.key              once; copy the file to the other machines
              mailslot bridge --domain studio --key studio.key
              mailslot read --remote jobs             on the machine render7
              mailslot write '\\\\render7\\mailslot\\jobs' "hello"     on another; '\\\\*\\mailslot\\jobs' is every machine

            Exit status: 0 success, 1 failure, 2 the time was up, 3 no such mailslot or host, no reader, no bridge, or it was closed, \
            4 it already has a reader, or a bridge runs already, 64 wrong usage, 128 + N ended by signal N (130: Ctrl-C).
            """,
        version: "0.1.0",
        subcommands: [
            Demo.self, Read.self, Write.self, Tail.self, List.self, Info.self, Top.self, Remove.self, Keygen.self, BridgeCommand.self,
            Hosts.self, Doctor.self, Bench.self, DemoPart.self,
        ])
}

/// What the program's exit status means; documented in the help of `mailslot`.
enum ExitStatus {
    static let failure = ExitCode(1)
    static let timeIsUp = ExitCode(2)
    static let noMailslot = ExitCode(3)
    static let alreadyExists = ExitCode(4)

    static func of(_ error: MailslotError) -> ExitCode {
        switch error.code {
        case .notFound, .noReader, .closed, .noBridge, .noSuchHost: noMailslot
        case .timedOut: timeIsUp
        case .alreadyExists: alreadyExists
        default: failure
        }
    }

    static func of(_ error: BridgeError) -> ExitCode {
        switch error.code {
        case .alreadyRunning: alreadyExists
        case .notRunning: noMailslot
        default: failure
        }
    }
}

/// Prints to standard error, where messages for people go.
func complain(_ text: String) {
    FileHandle.standardError.write(Data("mailslot: \(text)\n".utf8))
}

/// Runs `body`; an error of ours becomes its description and its exit status.
func reportingErrors(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as MailslotError {
        complain(error.description)
        throw ExitStatus.of(error)
    } catch let error as BridgeError {
        complain(error.description)
        throw ExitStatus.of(error)
    }
}

/// Seconds on the command line, such as 0.5.
struct Seconds: ExpressibleByArgument {
    let timeout: MailslotTimeout

    init?(argument: String) {
        guard let seconds = Double(argument), seconds >= 0, seconds.isFinite else { return nil }
        timeout = .seconds(min(seconds, 1e9))
    }
}
