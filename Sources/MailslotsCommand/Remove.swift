import ArgumentParser
import Mailslots
import MailslotsProgram

struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove mailslots whose readers are gone, with their unread messages.",
        discussion: """
            A reader that ends in order removes its mailslot itself. One that was killed leaves it, for a reader with --adopt.

            Goes on with the next name after one that cannot be removed; the status is then 1, or with one name that of its error.
            """)

    @Argument(help: "The mailslots' names.", completion: .mailslots)
    var names: [String]

    func run() throws {
        // It may be anybody's, and is mapped to tell its writers.
        try reportingErrors { try Mailslot.guardAgainstTruncation() }
        var failure: (any Error)?
        for name in names {
            do { try reportingErrors { try Mailslot.remove(name) } } catch { failure = error }
        }
        if let failure { throw names.count == 1 ? failure : ExitStatus.failure }
    }
}
