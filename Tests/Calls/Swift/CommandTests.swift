import CMailslots
import Foundation
import TestSupport
import Testing

@testable import Mailslots

/// The program `mailslot`, as its users see it.
@Suite(.blocking) struct CommandTests {
    @Test func `lines go in and come out`() throws {
        let name = uniqueName()
        let reader = try startMailslot("read", name, "--count", "4")
        let writer = try mailslot("write", name, "--wait", "30", input: Data("one\n\nthree\nlast".utf8))
        #expect(writer.status == 0)
        let result = try reader.wait()
        #expect(result.status == 0)
        #expect(result.text == "one\n\nthree\nlast\n")
    }

    @Test func `arguments are messages`() throws {
        let name = uniqueName()
        let reader = try startMailslot("read", name, "--count", "2", "--json")
        #expect(try mailslot("write", name, "--wait", "30", "hello", "wörld").status == 0)
        let lines = try reader.wait().text.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.contains(#""text":"hello""#) == true)
        #expect(lines.last?.contains(#""text":"wörld""#) == true)
        #expect(lines.last?.contains(#""origin":0"#) == true)
    }

    @Test func `bytes that are no text come out as base64 in JSON`() throws {
        let name = uniqueName()
        let reader = try startMailslot("read", name, "--count", "1", "--json")
        #expect(try mailslot("write", name, "--wait", "30", "--raw", input: Data([0xff, 0x00, 0xfe])).status == 0)
        #expect(try reader.wait().text.contains(#""base64":"/wD+""#))
    }

    @Test func `records are cut where --size says, and the last may be shorter`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name)
        #expect(try mailslot("write", name, "--raw", "--size", "4", "--end", input: Data("abcdefghij".utf8)).status == 0)
        var texts: [String] = []
        while let message = try reader.read(timeout: .now) { texts.append(message.text) }
        #expect(texts == ["abcd", "efgh", "ij", ""])
    }

    @Test(.timeLimit(.minutes(5)))
    func `256 megabytes pass through two processes unharmed`() throws {
        let name = uniqueName()
        let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "mailslots-pipe-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = """
            set -e
            head -c 268435456 /dev/urandom > original
            "$0" read --raw --until-empty "$1" > copy &
            cat original | "$0" write --raw --end --wait 60 "$1"
            wait $!
            sha256sum < original; sha256sum < copy; stat -c %s copy
            """
        let result = try run(
            URL(filePath: "/bin/sh"), ["-c", script, buildFolder.appending(path: "mailslot").path, name], folder: folder)
        #expect(result.status == 0, "\(result.errors)")
        let lines = result.text.split(separator: "\n")
        try #require(lines.count == 3)
        #expect(lines[0] == lines[1])
        #expect(lines[2] == "268435456")
    }

    @Test func `long lines and records pass where the reader allows them`() throws {
        let name = uniqueName()
        let reader = try startMailslot("read", name, "--max-size", "70000", "--count", "3", "--json")
        let line = String(repeating: "x", count: 69_000)
        #expect(try mailslot("write", name, "--wait", "30", input: Data((line + "\nshort\n").utf8)).status == 0)
        let record = [UInt8](repeating: 7, count: 70_000)
        #expect(try mailslot("write", name, "--raw", "--size", "70000", input: Data(record)).status == 0)
        let lines = try reader.wait().text.split(separator: "\n")
        try #require(lines.count == 3)
        #expect(lines[0].contains(line))
        #expect(lines[1].contains(#""text":"short""#))
        #expect(lines[2].count > 70_000)
    }

    @Test func `a line that is too long is named, and what came before it is written`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name)
        let text = "good\n" + String(repeating: "x", count: 425) + "\nafter\n"
        let result = try mailslot("write", name, input: Data(text.utf8))
        #expect(result.status == 1)
        #expect(result.errors.contains("line 2 has 425 bytes"))
        #expect(try reader.read(timeout: .now)?.text == "good")
        #expect(try reader.read(timeout: .now) == nil)
    }

    @Test func `each failure has its exit status, and a cause and a cure on standard error`() throws {
        let name = uniqueName()
        let missing = try mailslot("write", name, "x")
        #expect(missing.status == 3)
        #expect(missing.errors.contains("There is no mailslot") && missing.errors.contains("Start its reader first"))
        #expect(try mailslot("write", name, "x", "--wait", "0.05").status == 2)
        #expect(try mailslot("info", name).status == 3)
        #expect(try mailslot("remove", name).status == 3)
        #expect(try mailslot("read", "a:b").status == 1)
        #expect(try mailslot("read", name, "--timeout", "0.05").status == 2)
        #expect(try mailslot("read", name, "--nonsense").status == 64)
        #expect(try mailslot("write", name, "x", "--size", "0").status == 64)

        let reader = try Mailslot.create(name, capacity: 1)
        let second = try mailslot("read", name)
        #expect(second.status == 4)
        #expect(second.errors.contains("process \(getpid())"))
        #expect(try mailslot("remove", name).status == 4)
        #expect(try mailslot("write", name, "1", "2", "--timeout", "0.05").status == 2)
        reader.close()
        #expect(try mailslot("read", name, "--timeout", "0", environment: ["MAILSLOT_DIRECTORY": "/nowhere"]).status == 3)
    }

    // MARK: polling

    @Test func `a program that always polls never sleeps`() throws {
        let name = uniqueName()
        let reader = try startMailslot("read", name, "--capacity", "1", "--polling", "always", "--timeout", "0.2", "--keep-unread")
        #expect(try reader.wait().status == 2)
        #expect(try Mailslot.info(of: name).readerSleeps == 0)
        let next = try Mailslot.create(name, unread: .adopt)
        #expect(try mailslot("write", name, "1", "2", "--timeout", "0.2", "--polling", "3600").status == 2)
        #expect(next.info.writerWaits == 0)
        next.close()
    }

    @Test func `a program polls for the time that it is given, and never if that is said`() throws {
        for polling in ["never", "0", "0.000001", "adaptive"] {
            let name = uniqueName()
            let reader = try startMailslot("read", name, "--polling", polling)
            try blockUntil("it sleeps with --polling \(polling)") { (try? Mailslot.info(of: name))?.readerSleeps ?? 0 > 0 }
            #expect(try mailslot("write", name, "x", "--polling", polling).status == 0)
            reader.kill()
        }
        #expect(try mailslot("read", uniqueName(), "--polling", "sometimes").status == 64)
        #expect(try mailslot("read", uniqueName(), "--polling=-1").status == 64)
    }

    @Test func `a program leaves the express lane to others`() throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name)
        let modest = try startMailslot("write", name, "--leave-express-lane")
        try blockUntil("it has a lane") { try Mailslot.info(of: name).writerCount == 1 }
        let other = try Mailslot.open(name)
        #expect(unsafe other.handle.pointee.lane_index == 0)
        modest.kill()
        reader.close()
    }

    // MARK: what is unread when a reader ends

    /// Writes these while the reader is stopped, so that it finds all of them at once.
    func write(_ texts: [String], to name: String, behind reader: RunningProgram) throws {
        var writer = try Mailslot.open(name, waitingUpTo: .seconds(600))
        _ = kill(reader.id, SIGSTOP)
        try blockUntil("it is stopped") { try String(contentsOfFile: "/proc/\(reader.id)/stat", encoding: .utf8).contains(") T ") }
        for text in texts { #expect(try writer.write(text, timeout: .seconds(600)) == .written) }
    }

    @Test func `a reader says how many messages it discards, and how not to`() throws {
        for (limit, unread) in [(["--count", "1"], "3 unread messages"), (["--until-empty"], "2 unread messages")] {
            let name = uniqueName()
            let reader = try RunningProgram(buildFolder.appending(path: "mailslot"), ["read", name] + limit)
            try write(["one", "", "two", "three"], to: name, behind: reader)
            _ = kill(reader.id, SIGCONT)
            let result = try reader.wait()
            #expect(result.status == 0 && result.text == "one\n")
            #expect(result.errors == "mailslot: discarded \(unread); --keep-unread leaves them to a reader with --adopt\n")
            #expect(!FileManager.default.fileExists(atPath: try Mailslot.path(of: name)))
        }
        #expect(try mailslot("read", uniqueName(), "--timeout", "0").errors.isEmpty, "there was nothing to discard")
    }

    @Test(arguments: [SIGINT, SIGTERM]) func `a reader that keeps what is unread leaves every message that it did not print`(signal: Int32)
        throws
    {
        let name = uniqueName()
        let reader = try startMailslot("read", name, "--keep-unread", "--capacity", "4096")
        let texts = (0..<3000).map { "\($0)" }
        try write(texts, to: name, behind: reader)
        _ = kill(reader.id, signal)
        _ = kill(reader.id, SIGCONT)
        let first = try reader.wait()
        #expect(first.status == 128 + signal && first.errors.isEmpty)
        let rest = try mailslot("read", name, "--adopt", "--timeout", "0")
        #expect(first.text + rest.text == texts.map { $0 + "\n" }.joined())
    }

    @Test(arguments: ["--count=1", "--until-empty"]) func `what comes behind the last message that a reader prints is kept`(end: String)
        throws
    {
        let name = uniqueName()
        let reader = try startMailslot("read", name, end, "--keep-unread")
        try write(["one", "", "two", "three"], to: name, behind: reader)
        _ = kill(reader.id, SIGCONT)
        let result = try reader.wait()
        #expect(result.text == "one\n" && result.errors.isEmpty)
        #expect(try mailslot("read", name, "--adopt", "--timeout", "0").text == (end == "--count=1" ? "\ntwo\nthree\n" : "two\nthree\n"))
    }

    @Test func `a reader that discards what another had left says so`() throws {
        let name = uniqueName()
        let killed = try startMailslot("read", name)
        try write(["one"], to: name, behind: killed)
        killed.kill()
        let next = try mailslot("read", name, "--timeout", "0")
        #expect(next.text.isEmpty)
        #expect(next.errors == "mailslot: discarded 1 unread message of a reader that ended without closing; --adopt reads them\n")
    }

    @Test func `a mailslot is listed, shown and removed`() throws {
        let name = uniqueName("listed")
        let reader = try startMailslot("read", name, "--capacity", "8")
        var writer = try Mailslot.open(name, waitingUpTo: .seconds(600))
        _ = kill(reader.id, SIGSTOP)
        try writer.write("12345")
        try writer.write("6")

        let list = try mailslot("list").text
        #expect(list.split(separator: "\n").contains { $0.hasPrefix(name.lowercased()) && $0.hasSuffix("process \(reader.id)") })
        let info = try mailslot("info", name).text
        #expect(info.contains("2 of 8 messages") || info.contains("1 of 8 messages"))
        struct Fields: Decodable {
            let name: String, capacity: Int, writerCount: Int, hasReader: Bool, messagesWritten: Int, readerProcessID: Int32
        }
        let fields = try JSONDecoder().decode(Fields.self, from: try mailslot("info", "--json", name).output)
        #expect(
            fields.name == name.lowercased() && fields.capacity == 8 && fields.writerCount == 1 && fields.hasReader
                && fields.messagesWritten == 2)
        #expect(fields.readerProcessID == reader.id)

        reader.kill()
        #expect(try mailslot("info", name).text.contains("gone without closing"))
        #expect(try mailslot("remove", name).status == 0)
        #expect(!FileManager.default.fileExists(atPath: try Mailslot.path(of: name)))
        #expect(errorOf { try writer.write("late") }?.code == .closed)
    }

    @Test(arguments: [SIGINT, SIGTERM]) func `a signal closes the mailslot before the reader goes`(signal: Int32) throws {
        let name = uniqueName()
        let reader = try startMailslot("read", name)
        var writer = try Mailslot.open(name, waitingUpTo: .seconds(600))
        try writer.write("hello")
        try blockUntil("it reads") { reader.outputSoFar == "hello\n" }
        _ = kill(reader.id, signal)
        let result = try reader.wait()
        #expect(result.status == 128 + signal && result.signal == nil)
        #expect(!FileManager.default.fileExists(atPath: try Mailslot.path(of: name)))
        #expect(errorOf { try writer.write("late") }?.code == .closed)
    }

    /// It is blocked in whoever starts the reader here, a thread of Dispatch: it waits until the reader hears it.
    @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func `a signal that comes before the mailslot is there ends its reader, too`(signal: Int32)
        throws
    {
        let name = uniqueName()
        let reader = try startMailslot("read", name)
        _ = kill(reader.id, signal)
        let result = try reader.wait()
        #expect(result.status == 128 + signal && result.signal == nil)
        #expect(!FileManager.default.fileExists(atPath: try Mailslot.path(of: name)))
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func `a signal that arrives ignored stays ignored`(signal: Int32) throws {
        let name = uniqueName()
        let script = #"trap "" $1; exec "$0" read "$2" --count 2"#
        let reader = try RunningProgram(
            URL(filePath: "/bin/sh"), ["-c", script, buildFolder.appending(path: "mailslot").path, "\(signal)", name])
        var writer = try Mailslot.open(name, waitingUpTo: .seconds(600))
        try writer.write("before")
        try blockUntil("it reads") { reader.outputSoFar == "before\n" }
        _ = kill(reader.id, signal)
        try writer.write("after")
        let result = try reader.wait()
        #expect(result.status == 0 && result.signal == nil && result.text == "before\nafter\n")
    }

    // MARK: errors

    @Test(arguments: [
        ("--capacity", "1000", "Choose 1024."), ("--capacity", "0", "Choose 1."), ("--capacity", "-4", "Choose 1."),
        ("--capacity", "40000", "Choose 32768."), ("--writers", "0", "Choose 1."), ("--writers", "65535", "Choose 64511."),
        ("--max-size", "0", "Choose 1."), ("--max-size", "16777217", "Choose 16777216."), ("--mode", "0777", "Choose 0666."),
        ("--mode", "0060", "Choose 0660."), ("--mode", "0644", "Choose 0600."), ("--mode", "0664", "Choose 0660."),
    ])
    func `a size that cannot be is refused with its option and the next that can`(option: String, value: String, says: String) throws {
        let name = uniqueName()
        let result = try mailslot("read", name, "\(option)=\(value)", "--timeout", "0")
        #expect(result.status == 64 && result.errors.contains("\(option) is ") && result.errors.contains(says), "\(result.errors)")
        let next = try #require(says.firstMatch(of: /[0-9]+/)).0
        #expect(try mailslot("read", name, "\(option)=\(next)", "--timeout", "0").status == 2)
    }

    @Test(arguments: [["list"], ["top"], ["info", "x"], ["tail", "x"], ["read", "x"], ["write", "x", "y"], ["remove", "x"], ["hosts"]])
    func `a directory that is not there is what is named`(command: [String]) throws {
        for (directory, says) in [("/nowhere", "/nowhere, does not exist"), ("/proc/self/exe", "/proc/self/exe, is not a directory")] {
            let result = try run(buildFolder.appending(path: "mailslot"), command, environment: ["MAILSLOT_DIRECTORY": directory])
            #expect(result.status != 0 && result.text.isEmpty)
            #expect(result.errors.hasPrefix("mailslot: The directory of the mailslots, \(says)."), "\(result.errors)")
        }
    }

    // MARK: arguments

    @Test(arguments: [["-hello"], ["-h"], ["--help"], ["--version"], ["a", "-h"], ["-xyz"], ["--trust"], ["--end", "-hello"]])
    func `write succeeds only if it wrote, and -- goes before what begins with a dash`(texts: [String]) throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name)
        let program = buildFolder.appending(path: "mailslot")
        let refused = try run(program, ["write", name] + texts)
        #expect(refused.status == 64 && refused.text.isEmpty && !refused.errors.isEmpty, "\(refused.text)\(refused.errors)")
        #expect(try reader.read(timeout: .now) == nil)
        #expect(try run(program, ["write", name, "--"] + texts).status == 0)
        for text in texts { #expect(try reader.read(timeout: .now)?.text == text) }
    }

    @Test func `help is for who asks for it and for nothing else`() throws {
        for command in ["read", "remove", "list"] {
            let mistaken = try mailslot(command, "-hello")
            #expect(
                mistaken.status == 64 && mistaken.text.isEmpty && mistaken.errors.contains("no option \"-hello\""), "\(mistaken.errors)")
        }
        #expect(try run(buildFolder.appending(path: "mailslot-bridge"), ["-hello"]).status == 64)
        for wish in [["write", "-h"], ["write", "--help"], ["help", "write"]] {
            let help = try run(buildFolder.appending(path: "mailslot"), wish)
            #expect(help.status == 0 && help.text.contains("mailslot write orders -- "), "\(help.text)")
        }
    }

    /// Bytes in the place of text, by a shell: Swift's arguments are text.
    @Test(arguments: [#"write "$1" $'a\xffb'"#, #"read $'\xff' --timeout 0"#, #"remove $'\xff'"#, #"bridge --config $'\xff' --check"#])
    func `arguments that are not UTF-8 are refused`(command: String) throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name)
        let program = buildFolder.appending(path: "mailslot").path
        let result = try run("bash", ["-c", #""$0" "# + command, program, name])
        #expect(result.status == 64)
        #expect(result.errors.contains("is not valid UTF-8"), "\(result.errors)")
        #expect(try reader.read(timeout: .now) == nil)
        #expect(try Mailslot.names().allSatisfy { !$0.contains("\u{fffd}") })
        let direct = try run("bash", ["-c", #""$0-bridge" --config $'\xff'"#, program])
        #expect(direct.status == 64 && direct.errors.contains("is not valid UTF-8"))
    }

    @Test func `remove goes on after a name that it cannot remove`() throws {
        let names = (0..<3).map { _ in uniqueName() }
        for name in [names[0], names[2]] { try leave(["x"], in: name) }
        let result = try mailslot("remove", names[0], names[1], names[2])
        #expect(result.status == 1)
        #expect(result.errors.contains("\"\(names[1])\"") && result.errors.split(separator: "\n").count == 1, "\(result.errors)")
        #expect(try Mailslot.names().allSatisfy { !names.map { $0.lowercased() }.contains($0) })
    }

    // MARK: descriptors

    @Test func `a mailslot is never opened in the place of a standard descriptor that is closed`() throws {
        let name = uniqueName()
        let program = buildFolder.appending(path: "mailslot").path
        try leave(["kept"], in: name)
        let result = try run("sh", ["-c", #""$0" read "$1" --adopt --timeout 0 >&-"#, program, name])
        #expect(result.status == 1 && result.errors.contains("cannot write to standard output: Bad file descriptor"), "\(result.errors)")
        #expect(try mailslot("read", name, "--adopt", "--timeout", "0").text == "kept\n")
        var reader = try Mailslot.create(name)
        let input = try run("sh", ["-c", #""$0" write "$1" <&-"#, program, name])
        #expect(input.status == 1 && input.errors.contains("cannot read standard input: Bad file descriptor"), "\(input.errors)")
        #expect(try reader.read(timeout: .now) == nil)
    }

    @Test(arguments: ["2>&-", "2> /dev/full"]) func `whom nobody can be told of an error has the status`(errors: String) throws {
        let result = try run("sh", ["-c", #"exec "$0" read a:b "# + errors, buildFolder.appending(path: "mailslot").path])
        #expect(result.status == 1 && result.signal == nil)
    }

    // MARK: output that cannot be written

    /// A reader was killed, and left these messages.
    func leave(_ texts: [String], in name: String) throws {
        let reader = try startMailslot("read", name, "--max-size", "100000")
        var writer = try Mailslot.open(name, waitingUpTo: .seconds(600))
        reader.kill()
        for text in texts { try writer.write(text) }
    }

    /// The second has messages of which the output's buffer does not hold a batch: some fail before the last of them was looked at.
    @Test(arguments: [1, 90_000], [[], ["--json"], ["--raw"], ["--count", "4"], ["--until-empty"]])
    func `a reader that cannot write gives back what it did not print`(length: Int, format: [String]) throws {
        let name = uniqueName()
        let texts = ["a", "b", "c", "d"].map { String(repeating: $0, count: length) }
        try leave(texts + [""], in: name)
        let full = try run(
            "sh", ["-c", #"exec "$0" "$@" > /dev/full"#, buildFolder.appending(path: "mailslot").path, "read", name, "--adopt"] + format)
        #expect(full.status == 1)
        #expect(full.errors.contains("cannot write to standard output: No space left on device"), "\(full.errors)")
        #expect(full.errors.contains("5 messages wait in \"\(name)\": mailslot read --adopt"), "\(full.errors)")
        let next = try mailslot("read", name, "--adopt", "--until-empty", "--timeout", "0")
        #expect(next.text == texts.map { $0 + "\n" }.joined())
    }

    @Test func `a reader whose output nobody wants ends, and leaves what it did not print`() throws {
        let name = uniqueName()
        let script = #""$0" read "$1" | head -n 1; echo ${PIPESTATUS[0]}"#
        let pipeline = try RunningProgram(
            URL(filePath: "/usr/bin/env"), ["bash", "-c", script, buildFolder.appending(path: "mailslot").path, name])
        var writer = try Mailslot.open(name, waitingUpTo: .seconds(600))
        try writer.write("wanted")
        try blockUntil("it is read") { pipeline.outputSoFar == "wanted\n" }
        // The reader finds out at its next line after `head` has gone.
        var unwanted: [String] = []
        try blockUntil("the reader is gone") {
            unwanted.append("unwanted \(unwanted.count)")
            try writer.write(unwanted[unwanted.count - 1])
            return try !Mailslot.info(of: name).hasReader
        }
        let result = try pipeline.wait()
        #expect(result.text == "wanted\n0\n")
        #expect(result.errors.contains("nobody reads standard output any more. "), "\(result.errors)")
        let rest = try mailslot("read", name, "--adopt", "--timeout", "0").text.split(separator: "\n").map(String.init)
        // What `head` was still there for went into the pipe.
        #expect(!rest.isEmpty && unwanted.suffix(rest.count) == rest[...], "\(rest)")
    }

    @Test(.timeLimit(.minutes(5)))
    func `the demo shows messages, a kill and measurements, and leaves nothing behind`() throws {
        let result = try mailslot("demo")
        #expect(result.status == 0, "\(result.errors)")
        for word in [
            "writer 3 says goodbye", "holds a loan, half filled", "is dead", "3 written, 3 read, 0 waiting", "round trip, 32 bytes",
        ] {
            #expect(result.text.contains(word))
        }
        #expect(try Mailslot.names().filter { $0.hasPrefix("demo/") }.isEmpty)
    }

    @Test(arguments: [[], ["read"], ["write"], ["list"], ["info"], ["remove"], ["demo"], ["keygen"], ["bridge"], ["hosts"]])
    func `every command explains itself`(command: [String]) throws {
        let result = try run(buildFolder.appending(path: "mailslot"), command + ["--help"])
        #expect(result.status == 0)
        #expect(result.text.contains("USAGE: mailslot"))
        #expect(!result.text.contains("demo-part"))
    }
}
