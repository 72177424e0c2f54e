import ArgumentParser
package import Mailslots

/// How long to poll before sleeping: in words, or in seconds.
package struct PollingOption: ExpressibleByArgument {
    package let polling: Mailslot.Polling

    /// For completion; seconds cannot be completed.
    package static let allValueStrings = ["never", "adaptive", "always"]

    package init?(argument: String) {
        switch argument {
        case "never": polling = .never
        case "adaptive": polling = .adaptive
        case "always": polling = .always
        default:
            guard let seconds = Double(argument), seconds >= 0, seconds.isFinite else { return nil }
            polling = .upTo(.seconds(min(seconds, 1e9)))
        }
    }
}
