// Processes that tests start, and that must not hang them.

import Foundation

/// A process that did not end.
package struct Hang: Error, CustomStringConvertible {
    package let description: String
    package init(description: String) { self.description = description }
}

// `waitUntilExit` has no limit. And it does not wait for the process alone, but until everybody has closed a socket that the process has
// inherited: also those whom it started, and who outlive it.
extension Process {
    /// Whether it ends in time.
    package func hasEnded(within limit: Duration) -> Bool {
        let end = ContinuousClock.now + limit
        while isRunning {
            if ContinuousClock.now > end { return false }
            usleep(1000)
        }
        waitUntilExit()  // at once: it lets go of the run loop, which keeps the process and its descriptors otherwise
        return true
    }

    /// Whether it has not ended itself, whoever else goes on.
    package var isAlive: Bool {
        // Sound: the union in it is not looked at.
        var info = unsafe siginfo_t()
        let found = unsafe waitid(P_PID, id_t(processIdentifier), &info, WEXITED | WNOHANG | WNOWAIT)
        return unsafe found == 0 && info.si_signo == 0
    }

    /// Waits for its end, and kills what does not end.
    package func waitUntilExit(upTo limit: Duration) throws {
        if hasEnded(within: limit) { return }
        killWithGroup()
        throw Hang(description: "\(executableURL?.path ?? "?") \(arguments ?? []) had not ended after \(limit)")
    }

    /// Kills it and those whom it started: Foundation gives each process a group of its own.
    package func killWithGroup() {
        _ = kill(-processIdentifier, SIGKILL)
        _ = hasEnded(within: .seconds(60))
    }
}

/// For the body of an exit test: ends its process, which nobody else would, if it hangs.
package func endIfItHangs() { alarm(600) }
