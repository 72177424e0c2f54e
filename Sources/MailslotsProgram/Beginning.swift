package import ArgumentParser
internal import Foundation

// How both programs begin: with what they were started with, before the parser sees it.

extension ParsableCommand {
    /// In place of `main()`.
    ///
    /// - Parameters:
    ///   - check: Refuses arguments that the parser would take for something else.
    ///   - checkHelp: Refuses arguments with which help, or the version, is not what was wanted.
    package static func begin(checking check: ([String]) throws -> Void, checkingHelp checkHelp: ([String]) throws -> Void = { _ in }) {
        do {
            openStandardDescriptors()
            let arguments = try argumentsAsText()
            try check(arguments)
            do {
                var command = try parseAsRoot(arguments)
                try command.run()
            } catch  where exitCode(for: error) == .success {
                try checkHelp(arguments)
                throw error
            }
        } catch {
            exit(withError: error)
        }
    }
}

/// Ends a program that was used wrongly.
package func refuse(_ why: String) throws -> Never {
    complain(why)
    throw ExitStatus.wrongUsage
}

/// The parser takes "-hello" for -h and others, and gladly shows the help, with success.
package func refuseMistakesForHelp(_ arguments: [String]) throws {
    guard let mistake = arguments.prefix(while: { $0 != "--" }).first(where: { $0.hasPrefix("-h") && $0 != "-h" }) else { return }
    try refuse("there is no option \"\(mistake)\". Write -- before names and messages that begin with -.")
}

/// Arguments are bytes, and Swift's are text: it puts U+FFFD in the place of what is not, which would be another name or message.
private func argumentsAsText() throws -> [String] {
    try (1..<max(1, Int(CommandLine.argc))).map { number in
        // Sound: argv has argc strings, and nobody changes them.
        guard let bytes = unsafe CommandLine.unsafeArgv[number] else { return "" }
        if let text = unsafe String(validatingCString: bytes) { return text }
        try refuse(
            "argument \(number), \"\(unsafe String(cString: bytes))\", is not valid UTF-8. Messages of any bytes come through standard "
                + "input: mailslot write NAME --raw < FILE")
    }
}

/// One that is closed would be given to the next file that is opened, and the program would print into a mailslot. So it is opened, the
/// wrong way round: using it is an error, as it was.
private func openStandardDescriptors() {
    for (descriptor, mode) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY)]
    where fcntl(descriptor, F_GETFD) < 0 {
        _ = unsafe open("/dev/null", mode)  // the lowest number that is free
    }
}
