import ArgumentParser
import Mailslots
import MailslotsProgram

struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove mailslots whose readers are gone, with their unread messages.",
        discussion: "A reader that ends in order removes its mailslot itself. One that was killed leaves it, for a reader with --adopt."
    )

    @Argument(help: "The mailslots' names.", completion: .mailslots)
    var names: [String]

    func run() throws {
        // It may be anybody's, and is mapped to tell its writers.
        try reportingErrors { try Mailslot.guardAgainstTruncation() }
        for name in names { try reportingErrors { try Mailslot.remove(name) } }
    }
}
