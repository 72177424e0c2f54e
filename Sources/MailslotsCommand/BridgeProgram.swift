import Foundation
import MailslotsKeys
import MailslotsProgram

/// `mailslot-bridge`, beside `mailslot` as sshd is beside ssh: so this one needs neither cryptography nor servers' packages.
struct BridgeProgram {
    static let name = "mailslot-bridge"

    private let path: String

    /// Beside this program, else as the shell would find it.
    static var found: BridgeProgram? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return ([folder] + path.split(separator: ":").map(String.init))
            .map { "\($0)/\(name)" }
            .first { unsafe access($0, X_OK) == 0 }
            .map(BridgeProgram.init)
    }

    private static var folder: String {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
    }

    static var isMissing: String {
        let configuration = folder.hasSuffix("/debug") ? "" : "-c release "
        return "The bridge is a program of its own, \(name), which is neither in \(folder) nor on PATH. Build it: swift build "
            + "\(configuration)--product \(name); or install both programs: Sources/CMailslots/install.sh --with-program PREFIX"
    }

    /// Returns only if it cannot.
    func become(_ arguments: [String]) throws {
        // One of another release says so, and goes on.
        unsafe setenv(programVersionVariable, programVersion, 1)
        let words = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
        unsafe execv(path, words)
        let error = errno
        complain("\(path) cannot be run: \(unsafe String(cString: strerror(error)))")
        throw ExitStatus.failure
    }

    /// "key 1f2e3d4c"; `nil` if it does not say. By standard input: what stands in arguments, everyone sees.
    func id(of key: KeyFile) -> String? {
        let process = Process()
        let input = Pipe()
        let output = Pipe()
        process.executableURL = URL(filePath: path)
        process.arguments = ["--key-id"]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        _ = signal(SIGPIPE, SIG_IGN)  // one that does not read them has an error of its own
        guard (try? process.run()) != nil else { return nil }
        try? input.fileHandleForWriting.write(contentsOf: Data(key.bytes))
        try? input.fileHandleForWriting.close()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0, let id = text.wholeMatch(of: /(key [0-9a-f]{8})\n/) else { return nil }
        return String(id.1)
    }
}
