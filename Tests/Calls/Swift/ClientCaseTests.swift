import Foundation
import TestSupport
import Testing

/// Programs of clients that the compiler has to compile, as clients do: against the built module, with its optimiser and without; or has
/// to refuse. They are in `Cases`.
@Suite(.blocking, .serialized, .disabled(if: isSanitized, "the cases are built without a sanitizer"))
struct ClientCaseTests {
    static let cases = packageRoot.appending(path: "Tests/Calls/Swift/Cases")

    /// Compiles a case into a program.
    static func compile(_ name: String, _ options: [String], to program: URL) throws -> RunningProgram.Result {
        let headers = packageRoot.appending(path: "Sources/CMailslots/include").path
        let objects = try ["Mailslots", "CMailslots"].flatMap { target in
            // A build folder keeps the objects of files that are gone. Those of Swift lie in it without their folders.
            let sources = try FileManager.default.subpathsOfDirectory(atPath: packageRoot.appending(path: "Sources/\(target)").path)
            let folder = buildFolder.appending(path: "\(target).build").path
            return try FileManager.default.subpathsOfDirectory(atPath: folder)
                .filter { object in
                    object.hasSuffix(".o") && sources.contains { "/\($0).o".hasSuffix("/\(object)") }
                }
                .map { "\(folder)/\($0)" }
        }
        return try run(
            "swiftc",
            options + [
                "-swift-version", "6", "-parse-as-library", "-I", buildFolder.appending(path: "Modules").path, "-I", headers, "-Xcc",
                "-fmodule-map-file=\(headers)/module.modulemap", cases.appending(path: "\(name).swift").path, "-o", program.path,
            ] + objects)
    }

    @Test(
        arguments: [("actor_that_opens", "8 11"), ("actor_that_reads", "tea 1")],
        [["-O"], ["-Onone"], ["-O", "-enable-upcoming-feature", "NonisolatedNonsendingByDefault"]])
    func `the compiler compiles it, and it runs`(program: (name: String, output: String), options: [String]) throws {
        let folder = try temporaryFolder("case")
        defer { try? FileManager.default.removeItem(at: folder) }
        let executable = folder.appending(path: program.name)
        let build = try Self.compile(program.name, options, to: executable)
        try #require(build.status == 0, "\(build.errors.prefix(4000))")
        let result = try run(executable, [], environment: ["MAILSLOT_DIRECTORY": folder.path])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.text == program.output + "\n")
    }

    @Test func `the compiler refuses a task that blocks its thread, and says what to use`() throws {
        let folder = try temporaryFolder("case")
        defer { try? FileManager.default.removeItem(at: folder) }
        let build = try Self.compile("task_that_blocks", [], to: folder.appending(path: "program"))
        #expect(build.status != 0)
        let errors = build.errors.split(separator: "\n").filter { $0.contains(".swift:") && $0.contains(" error: ") }
        #expect(errors.count == 6)
        #expect(errors.allSatisfy { $0.contains("In a task, use a MailslotShared") })
    }
}
