import Foundation
import TestSupport
import Testing

/// The C core's own tests are a C program, so that they also run by hand and on other processors. Here each of them is a test of its own.
///
/// Not here: the tests that step a process from instruction to instruction or from call to call, `…_at_any_…`. In a debug build they
/// take many minutes. `.ci/run core` runs them, optimised, with all the others.
@Suite(.blocking) struct CoreTests {
    static let program = buildFolder.appending(path: "mailslots-core-tests")
    static let names: [String] = {
        let result = try? run(program, ["--list"])
        return (result?.text ?? "").split(separator: "\n").map(String.init).filter { !$0.contains("_at_any_") }
    }()

    @Test func `the C core has its tests`() {
        #expect(Self.names.count > 50, "\(Self.program.path) --list names too few tests")
    }

    @Test(.serialized, arguments: names)
    func core(test: String) throws {
        let result = try run(Self.program, [test])

        if let line = result.text.split(separator: "\n").first(where: { $0.hasPrefix("skipped ") }) {
            try Test.cancel("\(line)")
        }
        #expect(result.status == 0 && result.signal == nil, "\(result.text)\(result.errors)")
    }

    /// The ring runs on any memory and makes no system call. Its object files need memory functions and each other, nothing else.
    @Test func `the ring calls nothing but memory functions`() throws {
        let sources = packageRoot.appending(path: "Sources/CMailslots")
        let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "mailslots-ring-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let ring = try FileManager.default.contentsOfDirectory(at: sources.appending(path: "Ring"), includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "c" }
        try #require(ring.count >= 3)

        let compiled = try run(
            URL(filePath: "/usr/bin/env"),
            ["clang", "-std=c11", "-O2", "-c", "-I\(sources.path)/include"] + ring.map(\.path), folder: folder)
        try #require(compiled.status == 0, "\(compiled.errors)")
        func symbols(_ which: String) throws -> Set<Substring> {
            let listed = try run(
                URL(filePath: "/usr/bin/env"),
                ["nm", "--format=posix", which] + ring.map { $0.deletingPathExtension().lastPathComponent + ".o" }, folder: folder)
            try #require(listed.status == 0, "\(listed.errors)")
            return Set(listed.text.split(separator: "\n").filter { $0.contains(" ") }.compactMap { $0.split(separator: " ").first })
        }
        let foreign = try symbols("--undefined-only").subtracting(symbols("--defined-only"))
        #expect(foreign.subtracting(["memcpy", "memset", "memmove", "memcmp"]).isEmpty)
    }

    @Test(
        arguments: ["clang", "gcc"].flatMap { compiler in ["c11", "c17", "c2x"].map { "\(compiler) -std=\($0)" } }
            + ["clang++", "g++"].flatMap { compiler in [11, 14, 17, 20, 23].map { "\(compiler) -x c++ -std=c++\($0)" } })
    func `the headers compile without a warning`(compiler: String) throws {
        let words = compiler.split(separator: " ").map(String.init)
        if try run(URL(filePath: "/usr/bin/env"), ["which", words[0]]).status != 0 { try Test.cancel("\(words[0]) is not installed") }
        let include = packageRoot.appending(path: "Sources/CMailslots/include").path

        let result = try run(
            URL(filePath: "/usr/bin/env"),
            words + ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I\(include)"]
                + (words.contains("-x") ? [] : ["-x", "c"]) + ["-"],
            input: Data("#include \"mailslots.h\"\nint main(void) { return 0; }\n".utf8))

        #expect(result.status == 0, "\(result.errors)")
    }
}
