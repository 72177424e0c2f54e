import Foundation
import TestSupport
import Testing

/// Every snippet of the README and of the articles is compiled and run, in a package that depends on this one as a client does: on the
/// product `Mailslots` alone, with `traits: []`.
///
/// What a snippet is, is said by a comment before it, `<!-- test: KIND -->`:
/// - `program NAME`: Swift, a whole program of this name.
/// - `body NAME`: Swift statements. All bodies are run one after another by one program.
/// - `task NAME`: Swift statements of a task. They run after the bodies.
/// - `manifest`: a part of the client's `Package.swift`, in which our address is replaced by the path of this checkout.
/// - `c`: a C program, compiled with the sources of `CMailslots`.
/// - `console`: commands behind `$`, run in a shell, and what they print in all.
@Suite(.blocking, .serialized) struct ReadmeTests {
    struct Snippet {
        let kind: String
        let name: String
        let text: String
    }

    static let readme = (try? String(contentsOf: packageRoot.appending(path: "README.md"), encoding: .utf8)) ?? ""

    /// The articles whose snippets are marked as the README's are. The others': SegmentLayoutTests and EmbeddingTests.
    static let articles = [
        "GettingStarted", "MailslotsInActors", "ChoosingAPath", "Sizing", "Containers", "Upgrading", "Observing", "Bridge", "Executor",
        "RequestAndReply",
    ].map { name in
        (
            name: name,
            text: (try? String(contentsOf: packageRoot.appending(path: "Sources/Mailslots/Mailslots.docc/\(name).md"), encoding: .utf8))
                ?? ""
        )
    }
    static let snippets = snippets(in: readme)
    static let articleSnippets = articles.flatMap { snippets(in: $0.text) }

    static func snippets(in page: String) -> [Snippet] {
        var found: [Snippet] = []
        var lines = page.split(separator: "\n", omittingEmptySubsequences: false)[...]
        while let line = lines.popFirst() {
            guard line.hasPrefix("<!-- test: "), line.hasSuffix(" -->"), lines.popFirst()?.hasPrefix("```") == true else { continue }
            let words = line.dropFirst("<!-- test: ".count).dropLast(" -->".count).split(separator: " ").map(String.init)
            let text = lines.prefix { $0 != "```" }
            lines = lines[text.endIndex...]
            found.append(Snippet(kind: words[0], name: words.count > 1 ? words[1] : "", text: text.joined(separator: "\n")))
        }
        return found
    }

    static func fences(in page: String) -> Int { page.split(separator: "\n").count { ["```swift", "```c", "```console"].contains($0) } }

    /// Whole machines and files, which BridgeCommandTests runs and reads.
    static let kindsElsewhere: Set = ["machine", "configuration"]

    static func snippets(_ kind: String) -> [Snippet] { snippets.filter { $0.kind == kind } }
    static var programs: [Snippet] { (snippets + articleSnippets).filter { $0.kind == "program" } }

    /// The client, built once.
    static let client = Result { try Client() }

    @Test func `every snippet of code is tested`() {
        // The two commands that set everything up are not run here: CI runs them.
        #expect(Self.snippets.count == Self.fences(in: Self.readme) - 1)
        #expect(Self.snippets("program").map(\.name) == ["reader", "writer"])
    }

    @Test func `every snippet of code in an article is tested`() {
        for article in Self.articles {
            let code = Self.snippets(in: article.text).filter { !Self.kindsElsewhere.contains($0.kind) }
            #expect(code.count == Self.fences(in: article.text), "\(article.name)")
        }
        #expect(Self.articleSnippets.count >= 10)
        #expect(Set(Self.articleSnippets.map(\.kind)).subtracting(Self.kindsElsewhere) == ["program", "body", "console"])
    }

    @Test(.disabled(if: isSanitized, "the client is built without a sanitizer"))
    func `a client of the library alone resolves no other package, and compiles nothing but the library`() throws {
        let client = try Self.client.get()
        #expect(client.build.status == 0, "\(client.build.text)\(client.build.errors)")
        let checkouts = client.folder.appending(path: ".build/checkouts").path
        #expect((try? FileManager.default.contentsOfDirectory(atPath: checkouts))?.isEmpty ?? true)
        #expect(!FileManager.default.fileExists(atPath: client.folder.appending(path: "Package.resolved").path))
        let products = client.folder.appending(path: ".build/debug/").resolvingSymlinksInPath().path
        let compiled = try FileManager.default.subpathsOfDirectory(atPath: products)
            .compactMap { $0.wholeMatch(of: /([^\/.]+)\.build\/.*\.o/).map { String($0.1) } }
        #expect(Set(compiled) == Set(["CMailslots", "Mailslots", "articles", "bodies"] + Self.programs.map(\.name)))
    }

    @Test(
        .disabled(if: isSanitized, "the client is built without a sanitizer"),
        arguments: (snippets + articleSnippets).filter { $0.kind == "console" }.map(\.text))
    func `the commands print what the README and the articles say`(text: String) throws {
        let client = try Self.client.get()
        let lines = text.split(separator: "\n")
        let commands = lines.filter { $0.hasPrefix("$ ") }.map { $0.dropFirst(2) }.joined(separator: "\n")
        let expected = lines.filter { !$0.hasPrefix("$ ") }.joined(separator: "\n")

        // A watchdog: what a snippet leaves running would be waited for.
        let result = try run(
            "timeout", ["-k", "5", "120", "sh", "-c", "set -e\n\(commands)\nwait"], environment: client.environment, folder: client.programs
        )

        #expect(result.status == 0, "\(result.errors)")
        #expect(result.text == expected + "\n")
    }

    @Test(.disabled(if: isSanitized, "the client is built without a sanitizer"))
    func `the parts of programs do what they say`() throws {
        let client = try Self.client.get()
        let result = try run(client.programs.appending(path: "bodies"), [], environment: client.environment)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.text.contains(#"Mailslot "prices" already has a reader: process"#))
        #expect(Self.snippets("body").count >= 4)
    }

    @Test(.disabled(if: isSanitized, "the client is built without a sanitizer"))
    func `the parts of programs in the articles do what they say`() throws {
        let client = try Self.client.get()
        let result = try run(client.programs.appending(path: "articles"), [], environment: client.environment)
        #expect(result.status == 0, "\(result.errors)")
        // A comment behind a print says what it prints.
        let promised = Self.articleSnippets.filter { $0.kind == "body" }
            .flatMap { $0.text.matches(of: /print\(.*\)  \/\/ "?([^":\n]+)/).map { String($0.1).trimmingCharacters(in: .whitespaces) } }
        #expect(promised.count >= 5)
        let printed = result.text.split(separator: "\n").map(String.init)
        for line in promised { #expect(printed.contains { $0.hasSuffix(line) }, "\(line)") }
    }

    @Test func `the C program compiles and prints its message`() throws {
        let program = try #require(Self.snippets("c").first)
        let folder = try temporaryFolder("readme")
        defer { try? FileManager.default.removeItem(at: folder) }
        let sources = packageRoot.appending(path: "Sources/CMailslots").path
        try program.text.write(to: folder.appending(path: "program.c"), atomically: true, encoding: .utf8)

        let build = try run(
            URL(filePath: "/bin/sh"),
            ["-c", "${CC:-clang} -std=c11 -O2 -D_GNU_SOURCE -I\(sources)/include program.c \(sources)/*/*.c -o program"], folder: folder)
        #expect(build.status == 0, "\(build.errors)")
        let result = try run(folder.appending(path: "program"), [], environment: ["MAILSLOT_DIRECTORY": folder.path])
        #expect(result.status == 0)
        #expect(result.text == "hello\n")
    }

    @Test func `every file that the README names is there`() throws {
        let links = Self.readme.matches(of: /\]\(([^)#:]+)\)/).map { String($0.1) }
        #expect(links.count > 3)
        for link in links { #expect(FileManager.default.fileExists(atPath: packageRoot.appending(path: link).path), "\(link)") }
    }
}

private let clientFolder = URL(filePath: NSTemporaryDirectory()).resolvingSymlinksInPath().appending(
    path: "mailslots-client-\(UUID().uuidString)")

/// A package made of the README's snippets.
final class Client: Sendable {
    let folder: URL
    let build: RunningProgram.Result

    var programs: URL { folder.appending(path: ".build/debug") }
    /// Mailslots of its own, and the program `mailslot` on the path.
    var environment: [String: String] {
        ["MAILSLOT_DIRECTORY": folder.path, "PATH": buildFolder.path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")]
    }

    init() throws {
        folder = clientFolder
        // A static is never deinitialised.
        atexit { try? FileManager.default.removeItem(at: clientFolder) }
        try Self.write(manifest(), to: "Package.swift", in: folder)
        for program in ReadmeTests.programs {
            try Self.write(program.text, to: "Sources/\(program.name)/Program.swift", in: folder)
        }
        try Self.write(bodies(), to: "Sources/bodies/Program.swift", in: folder)
        try Self.write(articles(), to: "Sources/articles/Program.swift", in: folder)
        build = try run(URL(filePath: "/usr/bin/env"), ["swift", "build", "--package-path", folder.path])
    }

    private static func write(_ text: String, to path: String, in folder: URL) throws {
        let file = folder.appending(path: path)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: true, encoding: .utf8)
    }
}

/// The README's part of a manifest, with our address replaced by our path, and its target by ours.
private func manifest() throws -> String {
    let text = try #require(ReadmeTests.snippets("manifest").first).text
    let dependency = text.replacing(
        /\.package\(url: "[^"]+", from: "[^"]+", traits: \[\]\)/,
        with: #".package(name: "Mailslots", path: "\#(packageRoot.path)", traits: [])"#)
    try #require(dependency != text)
    let targets = (ReadmeTests.programs.map(\.name) + ["bodies", "articles"]).map {
        #".executableTarget(name: "\#($0)", dependencies: ["Mailslots"])"#
    }
    let whole = dependency.replacing(
        #".executableTarget(name: "Reader", dependencies: ["Mailslots"])"#, with: targets.joined(separator: ",\n"))
    try #require(whole != dependency)
    return """
        // swift-tools-version: 6.2
        import PackageDescription
        let package = Package(name: "Client",
        \(whole)
        )
        """
}

/// One program that runs all bodies. Those that open a mailslot find it: its reader comes first.
private func bodies() -> String {
    let functions = ["body": "throws", "task": "async throws"].flatMap { kind, effects in
        ReadmeTests.snippets(kind).map { "func \($0.name)() \(effects) {\n\($0.text)\n}" }
    }.joined(separator: "\n")
    return """
        import Mailslots
        \(functions)
        @main struct Bodies {
            static func main() async throws {
                try bodies()
                try await tasks()
            }

            static func bodies() throws {
                do {
                    var reader = try Mailslot.create("prices")
                    try loan()
                    guard try reader.read(timeout: .now)?.count == 16 else { fatalError("the loan") }
                    try outcomes()
                    guard try reader.read(timeout: .now)?.text == "never waits" else { fatalError("the outcomes") }
                }
                try batch()
                try values()
                try adopt()
            }
        }
        """
}

/// One program that runs the articles' bodies, each of which makes what it needs.
private func articles() -> String {
    let bodies = ReadmeTests.articleSnippets.filter { $0.kind == "body" }
    let functions = bodies.map { "func \($0.name)() throws {\n\($0.text)\n}" }.joined(separator: "\n")
    return """
        import Mailslots
        \(functions)
        @main struct Articles {
            static func main() throws {
                \(bodies.map { "try \($0.name)()" }.joined(separator: "\n        "))
            }
        }
        """
}
