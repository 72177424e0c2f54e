package import ArgumentParser
package import MailslotsBridge
import MailslotsProgram

extension BridgeError: ReportedError {
    package var exitStatus: ExitCode {
        switch code {
        case .alreadyRunning: ExitStatus.alreadyExists
        case .notRunning: ExitStatus.noMailslot
        default: ExitStatus.failure
        }
    }
}
