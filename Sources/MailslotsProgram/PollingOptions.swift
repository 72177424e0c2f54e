package import ArgumentParser
package import Mailslots

/// How long the waits of a reader or a writer poll before they sleep.
package struct PollingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Before a wait sleeps, poll never, always, or so many seconds; always takes all of a processor. (default: adaptive)",
            valueName: "never|adaptive|always|seconds"))
    package var polling: InWordsOrSeconds?

    package init() {}

    package var chosen: Mailslot.Polling { polling?.polling ?? .adaptive }

    package struct InWordsOrSeconds: ExpressibleByArgument {
        let polling: Mailslot.Polling

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
}
