import ArgumentParser
import Foundation
import Mailslots
import MailslotsProgram

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

            Arguments are UTF-8; -- goes before names and messages that begin with -. A signal that was ignored when the program started, \
            as by nohup, stays ignored.

            Exit status: 0 success, 1 failure, 2 the time was up, 3 no such mailslot or host, no reader, no bridge, or it was closed, \
            4 it already has a reader, or a bridge runs already, 64 wrong usage, 128 + N ended by signal N (130: Ctrl-C).
            """,
        version: programVersion,
        subcommands: [
            Demo.self, Read.self, Write.self, Tail.self, List.self, Info.self, Top.self, Remove.self, Keygen.self, BridgeCommand.self,
            Hosts.self, Doctor.self, Bench.self, DemoPart.self,
        ])

    static func main() {
        begin { arguments in
            // The bridge's are its own business.
            if arguments.first != "bridge" { try refuseMistakesForHelp(arguments) }
        } checkingHelp: { arguments in
            try Write.refuseHelpForMessage(arguments)
        }
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
