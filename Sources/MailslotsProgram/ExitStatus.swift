package import ArgumentParser
internal import CMailslots
package import Mailslots

/// Of `mailslot` and `mailslot-bridge`: they are of one release.
package let programVersion = unsafe String(cString: mslot_version())

/// By it `mailslot` tells the `mailslot-bridge` that it becomes what it is itself.
package let programVersionVariable = "MAILSLOT_PROGRAM_VERSION"

/// What a program's exit status means; documented in the help of `mailslot`.
package enum ExitStatus {
    package static let failure = ExitCode(1)
    package static let timeIsUp = ExitCode(2)
    package static let noMailslot = ExitCode(3)
    package static let alreadyExists = ExitCode(4)
    package static let wrongUsage = ExitCode.validationFailure
}

/// An error whose description tells a person the cause and the cure.
package protocol ReportedError: Error, CustomStringConvertible {
    var exitStatus: ExitCode { get }
    /// How a user of the program does what the description advises a programmer to do.
    var advice: String? { get }
}

extension ReportedError {
    package var advice: String? { nil }
}

extension MailslotError: ReportedError {
    package var exitStatus: ExitCode {
        switch code {
        case .notFound, .noReader, .closed, .noBridge, .noSuchHost: ExitStatus.noMailslot
        case .timedOut: ExitStatus.timeIsUp
        case .alreadyExists: ExitStatus.alreadyExists
        default: ExitStatus.failure
        }
    }

    package var advice: String? { ownerUserID.map { "The option for that is --trust-user \(userName($0))." } }
}

/// Runs `body`; an error of ours becomes its description and its exit status.
package func reportingErrors(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as any ReportedError {
        complain([error.description, error.advice].compactMap(\.self).joined(separator: " "))
        throw error.exitStatus
    }
}
