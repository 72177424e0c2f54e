import ArgumentParser
import Foundation
import MailslotsProgram

struct BridgeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bridge",
        abstract: "Carry messages between the mailslots of this machine and those of others.",
        discussion: "This is the program mailslot-bridge, to which all arguments go: mailslot bridge --help")

    @Argument(parsing: .captureForPassthrough, help: "What mailslot-bridge is told.")
    var arguments: [String] = []

    func run() throws {
        guard let program = BridgeProgram.found else {
            complain(BridgeProgram.isMissing)
            throw ExitStatus.failure
        }
        try program.become(arguments)
    }
}
