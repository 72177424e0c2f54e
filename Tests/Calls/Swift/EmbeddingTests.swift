import Foundation
import Mailslots
import TestSupport
import Testing

/// Programs in other languages, against the C library as `install.sh` installs it. The other side is the program `mailslot`.
@Suite(.blocking, .disabled(if: isSanitized, "nothing of it is built with a sanitizer")) struct EmbeddingTests {
    static let prefix = Result { try Prefix() }

    /// What the examples send: the end, an empty message, the longest one, and what is no ASCII.
    static let messages = ["hello", "", String(repeating: "x", count: 424), "wörld\\%s", "quit"]

    // MARK: what is installed

    @Test func `the prefix holds headers, libraries and what pkg-config needs, and nothing else`() throws {
        let prefix = try Self.prefix.get()
        let headers = ["atomics", "counters", "handle", "outbox_protocol", "outcome", "ring", "segment", "version"]
        var expected: Set = [
            "include/mailslots.h", "include/mailslots.hpp", "lib/libmailslots.a", "lib/libmailslots.so", "lib/libmailslots.so.2",
            "lib/pkgconfig/mailslots.pc", "lib/cmake/Mailslots/MailslotsConfig.cmake", "lib/cmake/Mailslots/MailslotsConfigVersion.cmake",
        ]
        for header in headers { expected.insert("include/mailslots/\(header).h") }
        // The Windows calls are another target's: here it is enough that they keep to names of their own.
        #expect(Set(try prefix.files().filter { !$0.contains("mailslots-win32") }) == expected)
    }

    @Test(.enabled(if: isInstalled("pkg-config"), "pkg-config is not installed"))
    func `pkg-config says how to compile and link, and the version of the program`() throws {
        let prefix = try Self.prefix.get()
        let options = try run("pkg-config", ["--cflags", "--libs", "mailslots"], environment: prefix.environment)
        #expect(options.status == 0, "\(options.errors)")
        #expect(options.text.split(whereSeparator: \.isWhitespace) == ["-I\(prefix.path)/include", "-L\(prefix.path)/lib", "-lmailslots"])
        let version = try run("pkg-config", ["--modversion", "mailslots"], environment: prefix.environment)
        #expect(version.text == (try mailslot("--version").text))
    }

    @Test(.enabled(if: isInstalled("readelf"), "readelf is not installed"))
    func `the shared library needs libc and nothing else`() throws {
        let library = try run("readelf", ["-d", "\(Self.prefix.get().path)/lib/libmailslots.so"])
        let needed = library.text.matches(of: /\(NEEDED\).*\[(.*)\]/).map { String($0.1) }
        // On some processors libc's own loader is named too.
        #expect(needed.filter { !$0.hasPrefix("ld-linux") } == ["libc.so.6"])
        #expect(library.text.contains("soname: [libmailslots.so.2]"))
    }

    @Test(.enabled(if: isInstalled("nm") && isInstalled("gcc"), "nm or gcc is not installed"))
    func `the shared library exports the API, what its inlined calls call, and nothing else`() throws {
        let prefix = try Self.prefix.get()
        let headers = try ["mailslots.h", "mailslots/counters.h", "mailslots/version.h"].flatMap { try Self.declared(in: $0) }
        let api = Set(try headers + Self.declared(in: "mailslots/handle.h", after: /^MSLOT_INLINE .*/))
        try #require(
            api.count >= 30 && api.isSuperset(of: ["mslot_create", "mslot_writer_write", "mslot_reader_read", "mslot_failure_describe"]))

        // A program that uses all of the API names what it does not inline.
        let uses = api.map { "(void *)\($0)," }.joined()
        let program = "#include <mailslots.h>\nvoid *const api[] = {\(uses)};\n"
        let object = prefix.folder.appending(path: "api.o").path
        let compiled = try run(
            "gcc", ["-O0", "-I\(prefix.path)/include", "-x", "c", "-c", "-o", object, "-"], input: Data(program.utf8))
        try #require(compiled.status == 0, "\(compiled.errors)")
        let undefined = try Self.symbols(["--undefined-only", object]).filter { $0.hasPrefix("mslot_") }

        let exported = try Self.symbols(["-D", "--defined-only", "\(prefix.path)/lib/libmailslots.so"])
        // And what only libmailslots-win32 calls.
        #expect(Set(exported) == api.union(undefined).union(["mslot__fork_handlers_install"]))
    }

    /// The names of the functions that a header declares or defines on lines that match.
    static func declared(in header: String, after line: some RegexComponent = /^[a-zMS].*/) throws -> [String] {
        let text = try String(contentsOf: packageRoot.appending(path: "Sources/CMailslots/include/\(header)"), encoding: .utf8)
        return text.split(separator: "\n").compactMap { candidate in
            guard candidate.prefixMatch(of: line) != nil, !candidate.hasPrefix("static") else { return nil }
            return candidate.firstMatch(of: /(mslot_[a-z_]+)\(/).map { String($0.1) }
        }
    }

    static func symbols(_ arguments: [String]) throws -> [String] {
        let listed = try run("nm", arguments)
        try #require(listed.status == 0, "\(listed.errors)")
        // "mslot_reader_read@@MAILSLOTS_2"; the version itself is listed too.
        return listed.text.split(separator: "\n").compactMap { $0.split(separator: " ").last?.split(separator: "@").first }
            .filter { $0.first?.isLowercase == true }.map(String.init)
    }

    @Test(.enabled(if: isInstalled("gcc"), "gcc is not installed"))
    func `a program that was compiled with the headers of 0_2_0 runs with the library of today`() throws {
        let prefix = try Self.prefix.get()
        let folder = packageRoot.appending(path: "Tests/Systems/Embedding/old").path
        let program = prefix.folder.appending(path: "old").path
        let built = try run(
            "gcc",
            ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "\(folder)/program.c", "-o", program, "-L\(prefix.path)/lib", "-lmailslots"])
        try #require(built.status == 0, "\(built.errors)")
        let environment = prefix.environment.merging(["MAILSLOT_DIRECTORY": prefix.folder.path]) { $1 }
        let result = try run(program, [], environment: environment)
        #expect(result.status == 0 && result.text == "an old program runs\n", "\(result.errors)")
    }

    @Test(.enabled(if: isInstalled("gcc"), "gcc is not installed"))
    func `a program that lets the shared library go keeps it, and goes on`() throws {
        let prefix = try Self.prefix.get()
        let source = packageRoot.appending(path: "Tests/Systems/Embedding/unloading.c").path
        let program = prefix.folder.appending(path: "unloading").path
        let built = try run(
            "gcc", ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-I\(prefix.path)/include", source, "-o", program, "-ldl"])
        try #require(built.status == 0, "\(built.errors)")
        let libraries = try prefix.files().filter { $0.hasSuffix(".so") }.map { "\(prefix.path)/\($0)" }.sorted { $0.count < $1.count }
        let result = try run(program, [libraries[0], uniqueName()] + libraries.dropFirst(), environment: prefix.environment)
        #expect(result.status == 0 && result.text == "the library stays\n", "\(result.errors)")
    }

    /// A function that takes no pointer cannot be given NULL.
    @Test func `each exported function that takes a pointer is tried with NULL`() throws {
        let map = try text("Sources/CMailslots/libmailslots.map")
        let exported = map.matches(of: /(?m)^    (mslot_[a-z]\w*);$/).map { String($0.1) }
        try #require(exported.count >= 40)
        let headers = try ["mailslots.h", "mailslots/handle.h", "mailslots/counters.h", "mailslots/version.h"]
            .map { try text("Sources/CMailslots/include/\($0)") }.joined()
        let tests = try text("Tests/Calls/Core/null_tests.c")
        for function in exported {
            let parameters = try #require(headers.firstMatch(of: Regex("(?m)^[^/ ].*\\b\(function)\\(([^;{]*)")), "\(function)")
            guard try #require(parameters.output[1].substring).contains("*") else { continue }
            #expect(tests.contains("\(function)(NULL"), "\(function)")
        }
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: packageRoot.appending(path: path), encoding: .utf8)
    }

    // MARK: what the documentation says

    @Test func `every snippet of the article is a part of an example, or the README's commands`() throws {
        let article = try String(
            contentsOf: packageRoot.appending(path: "Sources/Mailslots/Mailslots.docc/OtherLanguages.md"), encoding: .utf8)
        let examples = packageRoot.appending(path: "Tests/Systems/Examples")
        let texts = try filesBelow(examples).filter { !$0.hasSuffix(".pyc") }
            .map { try String(contentsOf: examples.appending(path: $0), encoding: .utf8) }
        let snippets = article.matches(of: /(?m)^```[a-z]+\n((?:(?!```).*\n)+)```$/).map { String($0.1) }
        try #require(snippets.count >= 5)
        for snippet in snippets {
            #expect((texts + ReadmeTests.snippets("embedding").map { $0.text + "\n" }).contains { $0.contains(snippet) }, "\(snippet)")
        }
    }

    @Test(.enabled(if: ["cc", "pkg-config"].allSatisfy(isInstalled), "cc or pkg-config is not installed"))
    func `the README's commands install the library, and print what it says`() throws {
        let text = try #require(ReadmeTests.snippets("embedding").first).text
        let folder = try temporaryFolder("commands")
        defer { try? FileManager.default.removeItem(at: folder) }
        for part in ["Sources", "Tests"] {
            try FileManager.default.createSymbolicLink(
                at: folder.appending(path: part), withDestinationURL: packageRoot.appending(path: part))
        }
        let lines = text.split(separator: "\n")
        let commands = lines.filter { $0.hasPrefix("$ ") }.map { $0.dropFirst(2) }.joined(separator: "\n")

        let result = try run(
            "sh", ["-c", "set -e\n\(commands)\nwait"], environment: ["HOME": folder.path, "MAILSLOT_DIRECTORY": folder.path], folder: folder
        )

        #expect(result.status == 0, "\(result.errors)")
        #expect(result.text == lines.filter { !$0.hasPrefix("$ ") }.map { $0 + "\n" }.joined())
    }

    // MARK: programs

    @Test(arguments: ["gcc", "clang"], ["shared", "static"])
    func `C programs exchange messages with mailslot`(compiler: String, library: String) throws {
        if !isInstalled(compiler) { try Test.cancel("\(compiler) is not installed") }
        let prefix = try Self.prefix.get()
        let programs = try ["reader", "writer"].map {
            try prefix.compile(
                "Tests/Systems/Examples/c/\($0).c", [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror"],
                library: library)
        }
        try exchange(reader: [programs[0].path], writer: [programs[1].path])
    }

    @Test(arguments: ["g++", "clang++"], ["c++20", "c++23"])
    func `C++ programs exchange messages with mailslot`(compiler: String, standard: String) throws {
        if !isInstalled(compiler) { try Test.cancel("\(compiler) is not installed") }
        let prefix = try Self.prefix.get()
        let programs = try ["reader", "writer"].map {
            try prefix.compile(
                "Tests/Systems/Examples/cpp/\($0).cpp", [compiler, "-std=\(standard)", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        }
        try exchange(reader: [programs[0].path], writer: [programs[1].path])
    }

    /// A reader in the other language and `mailslot write`; then `mailslot read` and a writer in the other language.
    func exchange(reader: [String], writer: [String]) throws {
        let prefix = try Self.prefix.get()
        let name = uniqueName()
        let foreignReader = try prefix.start(reader + [name])
        let written = try run(buildFolder.appending(path: "mailslot"), ["write", name, "--wait", "30", "--"] + Self.messages)
        try #require(written.status == 0, "\(written.errors)")
        let read = try foreignReader.wait()
        #expect(read.status == 0, "\(read.errors)")
        #expect(read.text == Self.messages.map { $0 + "\n" }.joined())
        #expect(!FileManager.default.fileExists(atPath: try Mailslot.path(of: name)), "it closed")

        let ownReader = try startMailslot("read", name, "--count", "\(Self.messages.count)", "--json")
        let foreignWriter = try prefix.start(writer + [name] + Self.messages)
        let wrote = try foreignWriter.wait()
        try #require(wrote.status == 0, "\(wrote.errors)")
        struct Line: Decodable, Equatable { let text: String, senderProcessID: Int32 }
        let lines = try ownReader.wait().text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        #expect(lines == Self.messages.map { Line(text: $0, senderProcessID: foreignWriter.id) })

        let refused = try prefix.start(writer + ["a:b", "x"]).wait()
        #expect(refused.status == 1)
        #expect(refused.errors.contains(#""a:b" is not a mailslot's name"#))
    }
}

/// What `install.sh` says when it cannot install, and what it leaves behind: nothing.
@Suite(.blocking, .disabled(if: isSanitized, "nothing of it is built with a sanitizer")) final class InstallTests {
    let folder: URL
    /// A copy without the Windows calls: half as much to compile, as often as this is done here.
    let sources: URL
    var installer: URL { sources.appending(path: "CMailslots/install.sh") }

    init() throws {
        folder = try temporaryFolder("install")
        sources = folder.appending(path: "Sources")
        try FileManager.default.createDirectory(at: sources, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: packageRoot.appending(path: "Sources/CMailslots"), to: sources.appending(path: "CMailslots"))
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    @Test func `help explains the arguments`() throws {
        let help = try install(["--help"])
        #expect(help.status == 0)
        for word in ["PREFIX", "--with-program", "DESTDIR", "CC", "pkg-config"] { #expect(help.text.contains(word)) }
        #expect(help.errors.isEmpty)
    }

    @Test(arguments: [
        ([], "PREFIX is missing"), ([""], "PREFIX is empty"), (["--prefix", "/tmp/x"], "there is no option --prefix"),
        (["/tmp/a", "/tmp/b"], "two prefixes"), (["/tmp/a b"], "pkg-config files cannot express"),
    ])
    func `wrong usage has status 64 and says what is wrong`(arguments: [String], complaint: String) throws {
        let result = try install(arguments)
        #expect(result.status == 64)
        #expect(result.errors.contains(complaint) && result.errors.contains("--help"))
    }

    @Test func `a compiler that is missing, or that fails, leaves nothing behind`() throws {
        let missing = try install([folder.path + "/prefix"], environment: ["CC": "no-such-compiler -m64"])
        #expect(missing.status == 1)
        #expect(missing.errors.contains("there is no compiler no-such-compiler, which CC names"))

        let none = try install([folder.path + "/prefix"], environment: ["CC": "", "PATH": try pathWithout(["cc", "gcc", "clang"]).path])
        #expect(none.status == 1)
        #expect(none.errors.contains("there is no C compiler: neither cc, gcc nor clang"))

        let failing = try install([folder.path + "/prefix"], environment: ["CC": "false"])
        #expect(failing.status == 1)
        #expect(failing.errors.contains("does not compile. Nothing was installed."))
        #expect(!exists("prefix"))
    }

    @Test func `the program cannot be installed without Swift`() throws {
        let result = try install(["--with-program", folder.path + "/prefix"], environment: ["PATH": try pathWithout(["swift"]).path])
        #expect(result.status == 1)
        #expect(result.errors.contains("there is no swift"))
        #expect(!exists("prefix"))
    }

    @Test func `a prefix that is a file, or where nothing can be made, is refused`() throws {
        try Data().write(to: folder.appending(path: "file"))
        let file = try install([folder.path + "/file/prefix"])
        #expect(file.status == 1)
        #expect(file.errors.contains("\(folder.path)/file is not a directory"))
        let proc = try install(["/proc/mailslots"])
        #expect(proc.status == 1)
        #expect(proc.errors.contains("could not be made. Nothing was installed") || proc.errors.contains("you may not write to /proc"))
    }

    @Test func `a prefix of another user is refused, with a cure`() throws {
        // To root every directory is open.
        let asNobody = geteuid() == 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []
        if !asNobody.isEmpty, !isInstalled("setpriv") { try Test.cancel("setpriv is not installed, and this is root") }
        let result = try run("env", asNobody + [installer.path, "/usr/mailslots"])
        #expect(result.status == 1)
        #expect(result.errors.contains("you may not write to /usr. Choose a PREFIX of your own"))
    }

    @Test func `what fails when files are put into place changes nothing`() throws {
        let prefix = folder.appending(path: "prefix")
        try FileManager.default.createDirectory(at: prefix.appending(path: "lib/libmailslots.so.2"), withIntermediateDirectories: true)
        try FileManager.default.createDirectory(at: prefix.appending(path: "include"), withIntermediateDirectories: true)
        try Data("old".utf8).write(to: prefix.appending(path: "include/mailslots.h"))

        let result = try install([prefix.path])

        #expect(result.status == 1)
        #expect(result.errors.contains("libmailslots.so.2 is a directory. Nothing was installed."))
        #expect(try filesBelow(prefix) == ["include/mailslots.h"])
        #expect(try String(contentsOf: prefix.appending(path: "include/mailslots.h"), encoding: .utf8) == "old")
        #expect(!exists("prefix/lib/pkgconfig") && !exists("prefix/include/mailslots"))
    }

    @Test func `an installation over another replaces files, and does not write into them`() throws {
        let prefix = folder.appending(path: "prefix")
        let library = prefix.appending(path: "lib/libmailslots.so.2")
        #expect(try install([prefix.path]).status == 0)
        let files = try filesBelow(prefix)
        // As a program has it that runs.
        let before = try FileHandle(forReadingFrom: library)
        let bytes = try Data(contentsOf: library)
        let inode = try FileManager.default.attributesOfItem(atPath: library.path)[.systemFileNumber] as? Int

        #expect(try install([prefix.path], environment: ["CFLAGS": "-O1"]).status == 0)

        #expect(try FileManager.default.attributesOfItem(atPath: library.path)[.systemFileNumber] as? Int != inode)
        #expect(try before.readToEnd() == bytes)
        #expect(try filesBelow(prefix) == files)
    }

    @Test func `DESTDIR is where files go, and nothing in them knows it`() throws {
        #expect(try install(["/opt/mailslots"], environment: ["DESTDIR": folder.path]).status == 0)
        let description = try String(
            contentsOf: folder.appending(path: "opt/mailslots/lib/pkgconfig/mailslots.pc"), encoding: .utf8)
        #expect(description.contains("prefix=/opt/mailslots\n"))
        #expect(!description.contains(folder.path))
    }

    @Test func `a relative prefix is meant from where the caller is`() throws {
        #expect(try run(installer.path, ["a/prefix"], environment: ["CFLAGS": "-O0"], folder: folder).status == 0)
        let description = try String(contentsOf: folder.appending(path: "a/prefix/lib/pkgconfig/mailslots.pc"), encoding: .utf8)
        #expect(description.contains("prefix=\(folder.path)/a/prefix\n"))
    }

    /// With a target of the same shape in its place.
    @Test(.enabled(if: isInstalled("pkg-config"), "pkg-config is not installed"))
    func `the Windows calls are installed beside, where their sources are`() throws {
        let include = sources.appending(path: "CMailslotsWin32/include")
        try FileManager.default.createDirectory(at: include, withIntermediateDirectories: true)
        try Data("#include <mailslots.h>\nmslot_created win32_create(void);\n".utf8).write(to: include.appending(path: "win32.h"))
        try Data("#include \"win32.h\"\nmslot_created win32_create(void) { return mslot_create(\"a\", NULL); }\n".utf8)
            .write(to: sources.appending(path: "CMailslotsWin32/create.c"))
        let prefix = folder.appending(path: "prefix")

        let result = try run(installer.path, [prefix.path], environment: ["CFLAGS": "-O0"])

        #expect(result.status == 0, "\(result.errors)")
        let files = Set(try filesBelow(prefix))
        let lib = [
            "lib/libmailslots-win32.a", "lib/libmailslots-win32.so", "lib/libmailslots-win32.so.2", "lib/pkgconfig/mailslots-win32.pc",
        ]
        #expect(files.isSuperset(of: lib + ["include/mailslots-win32/win32.h", "include/mailslots.h"]))
        let options = try run(
            "pkg-config", ["--cflags", "--libs", "mailslots-win32"], environment: ["PKG_CONFIG_PATH": prefix.path + "/lib/pkgconfig"])
        #expect(options.text.contains("-I\(prefix.path)/include/mailslots-win32"))
        #expect(options.text.contains("-lmailslots-win32 -lmailslots"))
    }

    // MARK: helpers

    func install(_ arguments: [String], environment: [String: String] = [:]) throws -> RunningProgram.Result {
        // Not optimised: what is compiled is not run here.
        try run(installer.path, arguments, environment: environment.merging(["CFLAGS": "-O0"]) { given, _ in given })
    }

    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: folder.appending(path: path).path) }

    /// A folder with links to all programs but these.
    func pathWithout(_ programs: Set<String>) throws -> URL {
        let path = folder.appending(path: "programs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        for directory in ["/usr/bin", "/bin"] {
            for program in try FileManager.default.contentsOfDirectory(atPath: directory) where !programs.contains(program) {
                try? FileManager.default.createSymbolicLink(
                    atPath: path.appending(path: program).path, withDestinationPath: "\(directory)/\(program)")
            }
        }
        return path
    }
}

private let installer = packageRoot.appending(path: "Sources/CMailslots/install.sh")

/// The files and links below a folder, by their paths from there.
private func filesBelow(_ folder: URL) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { path in
        let type = try FileManager.default.attributesOfItem(atPath: folder.appending(path: path).path)[.type]
        return type as? FileAttributeType != .typeDirectory
    }.sorted()
}

private let prefixFolder = URL(filePath: NSTemporaryDirectory()).resolvingSymlinksInPath().appending(
    path: "mailslots-prefix-\(UUID().uuidString)")

/// The C library, installed once.
final class Prefix: Sendable {
    let folder = prefixFolder
    var path: String { folder.appending(path: "prefix").path }
    /// What a user sets whose prefix is not where loader and pkg-config look.
    var environment: [String: String] { ["PKG_CONFIG_PATH": path + "/lib/pkgconfig", "LD_LIBRARY_PATH": path + "/lib"] }

    init() throws {
        // A static is never deinitialised.
        atexit { try? FileManager.default.removeItem(at: prefixFolder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let installed = try run(installer, [path])
        try #require(installed.status == 0, "\(installed.errors)")
    }

    func files() throws -> [String] { try filesBelow(URL(filePath: path)) }

    /// Compiles a program as its head says, and returns it.
    func compile(_ source: String, _ compiler: [String], library: String = "shared") throws -> URL {
        let program = folder.appending(path: "program-\(UUID().uuidString)")
        let linked = library == "static" ? ["\(path)/lib/libmailslots.a", "-pthread"] : ["-L\(path)/lib", "-lmailslots"]
        let compiled = try run(
            compiler[0],
            compiler.dropFirst() + ["-I\(path)/include", packageRoot.appending(path: source).path] + linked + ["-o", program.path])
        try #require(compiled.status == 0, "\(compiled.errors)")
        return program
    }

    func start(_ command: [String]) throws -> RunningProgram {
        try RunningProgram(URL(filePath: "/usr/bin/env"), command, input: Data(), environment: environment)
    }
}
