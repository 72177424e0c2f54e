package import ArgumentParser
internal import Foundation
package import Mailslots

/// Whose mailslots a command opens.
package struct TrustOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Trust this user, too, besides yourself and root: a name or a number.", valueName: "user"))
    package var trustUser: User?

    @Flag(help: "Trust every user.")
    package var trustAnyone = false

    package init() {}

    package func validate() throws {
        if trustAnyone && trustUser != nil { throw ValidationError("Choose one of --trust-user and --trust-anyone.") }
    }

    package var trust: Mailslot.Trust { trustAnyone ? .anyone : trustUser.map { .user($0.id) } ?? .sameUser }

    /// A user of this machine.
    package struct User: ExpressibleByArgument {
        let id: UInt32

        package init?(argument: String) {
            // Sound: only this thread asks, and the number is copied at once.
            if let entry = unsafe getpwnam(argument) {
                unsafe id = entry.pointee.pw_uid
            } else {
                // The two greatest numbers are nobody's: (uid_t)-1, and what means every user here.
                guard let number = UInt32(argument), number < .max - 1 else { return nil }
                id = number
            }
        }
    }
}
