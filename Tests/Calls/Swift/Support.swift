import Foundation
import TestProcesses
import Testing

@testable import Mailslots

/// A mailslot name that no other test has. What killed readers leave of it, and of names below it, is removed when the tests end.
func uniqueName(_ what: String = "test") -> String {
    let name = "\(what)/\(UUID().uuidString)"
    usedNames.withLock { names in
        if names.isEmpty { atexit { removeLeftovers() } }
        names.insert(name.lowercased())
    }
    return name
}

private let usedNames = Locked<Set<String>>([])

private func removeLeftovers() {
    let used = usedNames.withLock { $0 }
    for name in (try? Mailslot.names()) ?? [] {
        if used.contains(where: { name == $0 || name.hasPrefix($0 + "/") }) { try? Mailslot.remove(name) }
    }
}

/// The folder of the programs that were built together with the tests.
let buildFolder = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

/// The root of the package.
let packageRoot = (1...4).reduce(URL(filePath: #filePath)) { url, _ in url.deletingLastPathComponent() }

/// Whether a sanitizer is in this process, and so in the programs built with it.
let isSanitized = ["__asan_init", "__tsan_init"].contains { (symbol: String) in unsafe dlsym(nil, symbol) != nil }

/// A process that a test started. It is killed when nobody holds it any more.
final class RunningProgram: @unchecked Sendable {  // Sound: Process is, and the rest is set once.
    let process = Process()
    private let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "mailslots-test-\(UUID().uuidString)")
    private let input = Pipe()

    struct Result {
        let status: Int32
        let signal: Int32?
        let output: Data
        let errors: String
        var text: String { String(decoding: output, as: UTF8.self) }
    }

    /// `input` nil: standard input stays open until `closeInput`.
    init(_ program: URL, _ arguments: [String], input data: Data? = nil, environment: [String: String] = [:], folder: URL? = nil) throws {
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
        process.executableURL = program
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.currentDirectoryURL = folder
        // Files, not pipes: a program that prints much must not wait for us.
        process.standardOutput = try handle("output")
        process.standardError = try handle("errors")
        if let data {
            let file = self.folder.appending(path: "input")
            try data.write(to: file)
            process.standardInput = try FileHandle(forReadingFrom: file)
        } else {
            process.standardInput = input
        }
        try process.run()
    }

    private func handle(_ name: String) throws -> FileHandle {
        let file = folder.appending(path: name)
        _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        return try FileHandle(forWritingTo: file)
    }

    var id: Int32 { process.processIdentifier }
    /// What it has printed so far.
    var outputSoFar: String { (try? String(contentsOf: folder.appending(path: "output"), encoding: .utf8)) ?? "" }

    /// What it has printed for people so far.
    var errorsSoFar: String { (try? String(contentsOf: folder.appending(path: "errors"), encoding: .utf8)) ?? "" }

    func send(_ text: String) { input.fileHandleForWriting.write(Data(text.utf8)) }
    func closeInput() { try? input.fileHandleForWriting.close() }

    /// Waits for its end. What takes too long is killed, and a failure that has its words.
    func wait() throws -> Result {
        let patience = Duration.seconds(600)  // it may compile a package beside two other lanes of .ci/run
        if !process.hasEnded(within: patience) {
            let end = process.isAlive ? "had not ended" : "has ended, and left a process behind,"
            let words = "\(outputSoFar.suffix(2000)) \(errorsSoFar.suffix(2000))"
            let program = "\(process.executableURL?.path ?? "?") \(process.arguments ?? [])"
            let hang = Hang(description: "\(program) \(end) after \(patience): \(words)")
            kill()
            throw hang
        }
        let crashed = process.terminationReason == .uncaughtSignal
        return Result(
            status: process.terminationStatus, signal: crashed ? process.terminationStatus : nil,
            output: try Data(contentsOf: folder.appending(path: "output")),
            errors: try String(contentsOf: folder.appending(path: "errors"), encoding: .utf8))
    }

    func kill() { process.killWithGroup() }

    deinit {
        if process.isRunning { kill() }
        try? FileManager.default.removeItem(at: folder)
    }
}

/// Runs a program to its end.
@discardableResult
func run(_ program: URL, _ arguments: [String], input: Data = Data(), environment: [String: String] = [:], folder: URL? = nil) throws
    -> RunningProgram.Result
{
    try RunningProgram(program, arguments, input: input, environment: environment, folder: folder).wait()
}

/// Runs a program that is on the path to its end.
@discardableResult
func run(_ program: String, _ arguments: [String], input: Data = Data(), environment: [String: String] = [:], folder: URL? = nil) throws
    -> RunningProgram.Result
{
    try run(URL(filePath: "/usr/bin/env"), [program] + arguments, input: input, environment: environment, folder: folder)
}

/// Whether a program is on the path.
func isInstalled(_ program: String) -> Bool { (try? run("which", [program]).status) == 0 }

/// A new folder, which the caller removes.
func temporaryFolder(_ what: String) throws -> URL {
    let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "mailslots-\(what)-\(UUID().uuidString)").resolvingSymlinksInPath()
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
}

/// Runs `mailslot` to its end.
@discardableResult
func mailslot(_ arguments: String..., input: Data = Data(), environment: [String: String] = [:]) throws -> RunningProgram.Result {
    try run(buildFolder.appending(path: "mailslot"), arguments, input: input, environment: environment)
}

/// Starts `mailslot`.
func startMailslot(_ arguments: String..., input: Data? = nil) throws -> RunningProgram {
    try RunningProgram(buildFolder.appending(path: "mailslot"), arguments, input: input)
}

/// The error that `body` throws.
func errorOf(_ body: () throws -> Void) -> MailslotError? {
    do {
        try body()
        return nil
    } catch {
        return error as? MailslotError
    }
}

/// The code of the error that `body` throws.
func codeOf(_ body: () async throws -> Void) async -> MailslotError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? MailslotError)?.code
    }
}
