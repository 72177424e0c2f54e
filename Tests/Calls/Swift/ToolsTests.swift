import CMailslots
import Foundation
import MailslotsProgram
import TestSupport
import Testing

@testable import Mailslots
@testable import MailslotsCommand

/// The commands that look at mailslots: `list`, `info`, `tail`, `top`, `doctor`, `bench`.
@Suite(.blocking) final class ToolsTests {
    /// Mailslots of this test's own, in memory.
    let folder: URL
    let environment: [String: String]

    init() throws {
        let memory = URL(filePath: "/dev/shm")
        let parent = FileManager.default.isWritableFile(atPath: memory.path) ? memory : URL(filePath: NSTemporaryDirectory())
        folder = parent.appending(path: "mailslots-tools-\(UUID().uuidString)").resolvingSymlinksInPath()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        environment = ["MAILSLOT_DIRECTORY": folder.path]
    }
    deinit { try? FileManager.default.removeItem(at: folder) }

    let program = buildFolder.appending(path: "mailslot")

    func call(_ arguments: String..., input: Data = Data(), environment more: [String: String] = [:]) throws -> RunningProgram.Result {
        try run(program, arguments, input: input, environment: environment.merging(more) { $1 })
    }
    func start(_ arguments: String...) throws -> RunningProgram { try RunningProgram(program, arguments, environment: environment) }

    /// A reader that was killed, and left so many messages.
    func leave(_ name: String, unread: Int) throws {
        try leave(name) {
            try run(program, ["write", name] + (unread > 0 ? (0..<unread).map { "\($0)" } : []), environment: environment)
        }
    }

    /// A reader that was killed, and left what this call of the program wrote.
    func leave(_ name: String, written write: () throws -> RunningProgram.Result) throws {
        let reader = try start("read", name, "--capacity", "8")
        #expect(try call("write", name, "--wait", "30", "read").status == 0)
        try blockUntil("it reads") { reader.outputSoFar == "read\n" }
        _ = kill(reader.id, SIGSTOP)
        let result = try write()
        #expect(result.status == 0, "\(result.errors)")
        reader.kill()
    }

    // MARK: list and info

    @Test func `list shows rates, and JSON and metrics the same mailslots`() throws {
        let reader = try start("read", "some/orders", "--capacity", "64")
        #expect(try call("write", "some/orders", "--wait", "30", "1", "2", "3").status == 0)
        try blockUntil("it reads") { reader.outputSoFar == "1\n2\n3\n" }

        let lines = try call("list", "--rates", "0.1").text.split(separator: "\n").map { $0.split(separator: " ") }
        try #require(lines.count == 2)
        #expect(lines[0].contains("WRITTEN/S") && lines[0].contains("HIGH"))
        #expect(lines[1].first == "some/orders" && lines[1].last == "\(reader.id)" && lines[1].contains(Substring(userName(geteuid()))))
        struct Fields: Decodable {
            let name: String, messagesWritten: Int, highWater: Int, owner: String, messagesWrittenPerSecond: Double?, lateWakes: Int
        }
        let fields = try JSONDecoder().decode(Fields.self, from: try call("list", "--json", "--rates", "0.1").output)
        #expect(
            fields.name == "some/orders" && fields.messagesWritten == 3 && fields.messagesWrittenPerSecond == 0
                && (1...3).contains(fields.highWater))
        #expect(fields.owner == userName(geteuid()))
        let metrics = try call("info", "some/orders", "--prometheus").text
        #expect(metrics.contains("\nmailslot_messages_written_total{mailslot=\"some/orders\"} 3\n"))
        #expect(try call("list", "--prometheus").text.contains("\nmailslot_messages_written_total{mailslot=\"some/orders\"} 3\n"))
    }

    @Test func `every counter of the C core is shown by each who shows counters`() throws {
        let name = uniqueName("counted")
        let reader = try Mailslot.create(name, capacity: 1)
        var writer = try Mailslot.open(name)
        try writer.write("fills it")
        while try writer.tryWrite("finds it full") == .written {}
        let info = reader.info
        #expect(info.counters.count == Int(MSLOT_COUNTER_COUNT))
        #expect(info.counters.first { $0.name == "fullWrites" }?.value == info.fullWrites && info.fullWrites == 1)
        #expect(info.counters.first { $0.name == "messagesWritten" }?.value == info.messagesWritten)
        #expect(info.counters.first { $0.name == "highWater" }.map { $0.kind == .gauge && $0.value == 1 } == true)
        let text = try mailslot("info", name).text
        let json = try mailslot("info", "--json", name).text
        let metrics = try mailslot("info", "--prometheus", name).text
        for (counter, number) in zip(info.counters, 0...) {
            #expect(text.contains("\(counter.value): \(counter.help.prefix(1).lowercased())\(counter.help.dropFirst().dropLast())\n"))
            #expect(json.contains("\"\(counter.name)\" : \(counter.value)"))
            let metric = "mailslot_\(unsafe String(cString: mslot_counter_describe(number).pointee.name))"
            let total = counter.kind == .counter ? "_total" : ""
            #expect(metrics.contains("\n\(metric)\(total){mailslot=\"\(name.lowercased())\"} \(counter.value)\n"))
        }
    }

    @Test func `rates are messages of a mailslot that were written between two looks`() throws {
        let name = uniqueName("rates")
        var reader = try Mailslot.create(name)
        var writer = try Mailslot.open(name)
        for _ in 0..<10 { try writer.write("x") }
        let before = try Look()
        for _ in 0..<20 { try writer.write("x") }
        for _ in 0..<5 { _ = try reader.read(timeout: .now) }
        let after = try Look(after: before)
        let info = try #require(after.infos.first { $0.name == name.lowercased() })
        let rates = try #require(after.rates(of: info))
        let seconds = (after.time - before.time) / .seconds(1)
        #expect(abs(rates.written * seconds - 20) < 0.01 && abs(rates.read * seconds - 5) < 0.01)
        #expect(before.rates(of: info) == nil)
    }

    @Test func `metrics are in the text format of Prometheus`() throws {
        let readers = try [uniqueName("a"), uniqueName("b")].map { try Holder($0) }
        let infos = try readers.map { try Mailslot.info(of: $0.name) }
        let lines = prometheusText(infos)
        var families: [Substring] = []
        for line in lines {
            if let help = line.wholeMatch(of: /# HELP ([a-z_]+) [^\n]+/) {
                #expect(!families.contains(help.1))
                families.append(help.1)
            } else if let type = line.wholeMatch(of: /# TYPE ([a-z_]+) (gauge|counter)/) {
                #expect(type.1 == families.last)
                #expect(type.1.hasSuffix("_total") == (type.2 == "counter"))
            } else {
                let sample = try #require(line.wholeMatch(of: /([a-z_]+)\{mailslot="((?:[^"\\]|\\["\\n])*)"\} ([0-9]+)/), "\(line)")
                #expect(sample.1 == families.last)
            }
        }
        #expect(families.count > 15 && lines.count == families.count * 4)
        #expect(escapedLabel("a\\b\"c\nd") == #"a\\b\"c\nd"#)
    }

    @Test func `info of several names shows those that are there, and fails for the one that is not`() throws {
        let reader = try start("read", "one")
        try blockUntil("it is there") { try call("info", "one").status == 0 }
        let result = try call("info", "one", "none", "--json")
        #expect(result.status == 3)
        #expect(result.text.contains(#""name":"one""#))
        #expect(result.errors.contains("There is no mailslot \"none\""))
        reader.kill()
    }

    @Test(.timeLimit(.minutes(5)))
    func `three thousand mailslots are listed and measured`() throws {
        let count = 3000
        let readers = try RunningProgram(
            buildFolder.appending(path: "mailslots-probe"), ["hold", "\(count)"], environment: environment)
        try blockUntil("all are there") { readers.outputSoFar == "ready\n" }
        let list = try call("list", "--rates", "0.1")
        #expect(list.status == 0)
        #expect(list.text.split(separator: "\n").count == count + 1)
        #expect(try call("list", "--prometheus").text.split(separator: "\n").count > 15 * count)
        #expect(try call("top", "--interval", "0.1").text.split(separator: "\n").count == count + 1)
        let doctor = try call("doctor")
        #expect(doctor.text.contains("\(count), of which \(count) have a reader"))
        readers.kill()
        #expect(try call("doctor", "--clean").text.contains("and \(count - 3) more"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    // MARK: tail

    @Test func `tail shows what was read and what comes, and takes nothing`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name, capacity: 16)
        var writer = try Mailslot.open(name)
        for index in 0..<6 { try writer.write("\(index)") }
        for _ in 0..<3 { _ = try reader.read(timeout: .now) }
        #expect(try mailslot("tail", name, "--no-follow").text == "0\n1\n2\n3\n4\n5\n")
        #expect(try mailslot("tail", name, "--no-follow", "--last", "2", "--raw").text == "45")
        #expect(try mailslot("tail", name, "--last", "0", "--timeout", "0.05").status == 2)

        let follower = try startMailslot("tail", name, "--last", "1", "--count", "3", "--json")
        try blockUntil("it has begun") { follower.outputSoFar.contains("\"5\"") }
        try writer.write("6")
        try writer.write("7")
        let lines = try follower.wait().text.split(separator: "\n")
        #expect(lines.count == 3 && lines.last?.contains(#""position":23,"senderProcessID":\#(getpid()),"text":"7""#) == true, "\(lines)")

        var texts: [String] = []
        while let message = try reader.read(timeout: .now) { texts.append(message.text) }
        #expect(texts == ["3", "4", "5", "6", "7"])
        let last = try startMailslot("tail", name, "--last", "1")
        try blockUntil("it has begun") { last.outputSoFar == "7\n" }
        reader.close()
        let end = try last.wait()
        #expect(end.status == 3 && end.errors.contains("closed"))
    }

    @Test func `tail says what it missed`() throws {
        let name = uniqueName()
        var reader = try Mailslot.create(name, capacity: 8)
        var writer = try Mailslot.open(name)
        try writer.write("first")
        let follower = try startMailslot("tail", name)
        let json = try startMailslot("tail", name, "--json")
        try blockUntil("they have begun") { follower.outputSoFar == "first\n" && json.outputSoFar.contains("first") }
        for process in [follower, json] { _ = kill(process.id, SIGSTOP) }
        for index in 0..<100 {
            _ = try reader.read(timeout: .now)
            try writer.write("\(index)")
        }
        for process in [follower, json] { _ = kill(process.id, SIGCONT) }
        try blockUntil("they have caught up") { follower.outputSoFar.hasSuffix("99\n") && json.outputSoFar.contains("\"99\"") }
        reader.close()
        let result = try follower.wait()
        let shown = result.text.split(separator: "\n").count - 1
        #expect((1...8).contains(shown))
        #expect(result.errors.contains("\(100 - shown) messages were gone before they could be shown"))
        #expect(try json.wait().text.contains("{\"missed\":9"))
    }

    @Test func `tail ends when nobody reads its output any more, even if nothing comes`() throws {
        let name = uniqueName()
        let reader = try Mailslot.create(name)
        var writer = try Mailslot.open(name)
        try writer.write("only")
        let result = try run("sh", ["-c", #""$0" tail "$1" | head -n 1; echo over"#, program.path, name])
        #expect(result.text == "only\nover\n")
        reader.close()
    }

    // MARK: top

    @Test(
        .disabled(if: isSanitized, "a sanitizer writes to the terminal"), .enabled(if: isInstalled("python3"), "python3 is not installed"))
    func `top draws, sorts, resizes, and gives the terminal back however it ends`() throws {
        let busy = try start("read", "busy", "--capacity", "64")
        let first = try start("read", "a/first", "--capacity", "64")
        #expect(try call("write", "a/first", "--wait", "30", "x").status == 0)
        #expect(try call("write", "busy", "--wait", "30", "x").status == 0)
        try blockUntil("both read") { busy.outputSoFar == "x\n" && first.outputSoFar == "x\n" }
        _ = kill(busy.id, SIGSTOP)
        #expect(try call("write", "busy", "1", "2", "3").status == 0)
        let script = packageRoot.appending(path: "Tests/Support/Command/top.py").path
        let result = try run("python3", [script, program.path, "busy", "a/first"], environment: environment)
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test func `top prints one table where there is no terminal`() throws {
        let reader = try start("read", "orders", "--capacity", "64")
        try blockUntil("it is there") { try call("info", "orders").status == 0 }
        let result = try call("top", "--interval", "0.1", "--sort", "name")
        #expect(result.status == 0)
        #expect(result.text.split(separator: "\n").count == 2 && !result.text.contains("\u{1b}"))
        #expect(try call("top", "--sort", "nonsense").status == 64)
        reader.kill()
    }

    // MARK: doctor

    @Test func `doctor finds what was left behind, and cleans only what is dead and empty`() throws {
        let healthy = try call("doctor")
        #expect(healthy.status == 0, "\(healthy.text)")
        for check in [
            "directory", "space", "locks", "futex_waitv", "robust list", "death of a writer", "datagram engine", "bridge", "RemoveIPC",
            "processors",
        ] {
            #expect(healthy.text.contains(check), "\(check)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)

        try leave("empty", unread: 0)
        try leave("unread", unread: 2)
        let alive = try start("read", "alive")
        try blockUntil("it is there") { try call("info", "alive").status == 0 }
        try Data("x".utf8).write(to: folder.appending(path: "mailslot.strange"))
        let half = folder.appending(path: "mailslot.half~1f.2e")
        try Data("x".utf8).write(to: half)

        let sick = try call("doctor").text
        #expect(sick.contains("3, of which 1 have a reader"))
        #expect(sick.contains("\"empty\": reader and writers ended without closing"))
        #expect(sick.contains("2 in \"unread\", whose readers have ended"))
        #expect(sick.contains("\"mailslot.strange\": no mailslots"))
        #expect(!sick.contains("half"), "its creator may be at work")

        // ctime cannot be set back; so its creator was killed a minute ago only if we wait. The file is left alone.
        let cleaned = try call("doctor", "--clean").text
        #expect(cleaned.contains("removed \"empty\""))
        let left = Set(try FileManager.default.contentsOfDirectory(atPath: folder.path))
        #expect(left == ["mailslot.unread", "mailslot.alive", "mailslot.strange", half.lastPathComponent])
        #expect(try call("read", "unread", "--adopt", "--count", "2").text == "0\n1\n")
        alive.kill()
    }

    @Test func `a writer that is alive keeps a mailslot from being cleaned`() throws {
        try leave("held", unread: 0)
        let adopter = try start("read", "held", "--adopt")
        let writer = try start("write", "held", "--wait", "30")
        try blockUntil("the writer is there") { try call("info", "held", "--json").text.contains("\"writerCount\" : 1") }
        adopter.kill()
        #expect(!(try call("doctor", "--clean").text.contains("removed")))
        writer.kill()
        #expect(try call("doctor", "--clean").text.contains("removed \"held\""))
    }

    @Test func `doctor names what killed clients and nodes have left, cleans it away, and nothing that is only called like it`() throws {
        let own = ["answers/1234-2a", "actors/~0k3v9p1xq2m7a"]
        let others = ["answers/01234-2a", "answers/1234", "actors/~0k3v9p1xq2m7", "actors/market"]
        for name in own + others { try leave(name, unread: 1) }
        let sick = try call("doctor").text
        #expect(sick.contains("\"actors/~0k3v9p1xq2m7a\", \"answers/1234-2a\": answers to clients and calls to nodes that were killed"))
        #expect(sick.contains("the next server or node of the same user takes them away"))
        #expect(sick.contains("4 in "))
        _ = try call("doctor", "--clean")
        for name in own { #expect(try call("info", name).status != 0, "\(name)") }
        for name in others { #expect(try call("info", name).status == 0, "\(name)") }
    }

    @Test func `doctor fails, with a cure, where mailslots cannot be`() throws {
        let missing = try call("doctor", environment: ["MAILSLOT_DIRECTORY": "/nowhere"])
        #expect(missing.status == 1)
        #expect(missing.text.hasPrefix("failure  directory  /nowhere: No such file or directory\n"))
        let file = folder.appending(path: "file")
        try Data().write(to: file)
        #expect(try call("doctor", environment: ["MAILSLOT_DIRECTORY": file.path]).text.contains("is no directory"))
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder.path)
        #expect(try call("doctor").text.contains("others may remove your mailslots"))
        struct Finding: Decodable { let check: String, status: String, says: String, cure: String? }
        let lines = try call("doctor", "--json").text.split(separator: "\n")
        let findings = try lines.map { try JSONDecoder().decode(Finding.self, from: Data($0.utf8)) }
        #expect(findings.contains { $0.check == "directory" && $0.status == "warning" && $0.cure?.contains("chmod +t") == true })
    }

    @Test(
        .disabled(if: isSanitized, "a sanitizer asks for what is refused"), .enabled(if: isInstalled("python3"), "python3 is not installed")
    )
    func `doctor notices that the kernel does not wake for a killed writer`() throws {
        let script = packageRoot.appending(path: "Tests/Support/Command/confined.py").path
        let result = try run("python3", [script, program.path, "doctor"], environment: environment)
        if result.status == 77 { try Test.cancel("the kernel filters no system calls here") }
        #expect(result.status == 0, "warnings are no failures: \(result.text)\(result.errors)")
        #expect(result.text.contains("warning  futex_waitv        not there: Operation not permitted"))
        #expect(result.text.contains("warning  robust list        not there: Operation not permitted"))
        #expect(result.text.contains("warning  death of a writer  the kernel did not wake"))
    }

    @Test func `the last word on RemoveIPC counts, and silence means yes`() throws {
        #expect(removesIPC(root: folder.path))
        func write(_ text: String, _ path: String) throws {
            let file = folder.appending(path: path)
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        try write("[Login]\n#RemoveIPC=no\n", "etc/systemd/logind.conf")
        #expect(removesIPC(root: folder.path))
        try write("[Login]\nRemoveIPC=no\n", "etc/systemd/logind.conf")
        #expect(!removesIPC(root: folder.path))
        try write("[Login]\nRemoveIPC=yes\n", "usr/lib/systemd/logind.conf.d/50-a.conf")
        #expect(removesIPC(root: folder.path))
        try write("[Login]\nRemoveIPC=no\n", "etc/systemd/logind.conf.d/50-a.conf")
        #expect(!removesIPC(root: folder.path))
        try write("[Login]\nRemoveIPC = true\n", "etc/systemd/logind.conf.d/60-b.conf")
        #expect(removesIPC(root: folder.path))
    }

    // MARK: everywhere

    @Test(arguments: [
        ["list"], ["list", "--json"], ["list", "--prometheus"], ["info", "orders"], ["top", "--interval", "0.1"], ["doctor"],
    ])
    func `output that nobody reads ends a command in silence, and a full disk does not`(command: [String]) throws {
        let reader = try start("read", "orders")
        try blockUntil("it is there") { try call("info", "orders").status == 0 }
        let quiet = try run("bash", ["-c", #""$0" "$@" | true; exit ${PIPESTATUS[0]}"#, program.path] + command, environment: environment)
        #expect(quiet.errors.isEmpty && quiet.status == 0 && quiet.signal == nil, "\(quiet.errors)")
        let full = try run("sh", ["-c", #"exec "$0" "$@" > /dev/full"#, program.path] + command, environment: environment)
        #expect(full.status == 1 && full.errors == "mailslot: cannot write to standard output: No space left on device\n")
        reader.kill()
    }

    @Test(.enabled(if: isInstalled("python3"), "python3 is not installed"))
    func `a file that its owner leases is left out, and a line says so`() throws {
        try leave("some/orders", unread: 1)
        try leave("hidden", unread: 0)
        let script = packageRoot.appending(path: "Tests/Support/Command/leased.py").path
        let owner = try RunningProgram(
            URL(filePath: "/usr/bin/env"), ["python3", script, folder.appending(path: "mailslot.hidden").path])
        try blockUntil("it is leased") { owner.outputSoFar == "leased\n" }

        for command in [["list"], ["list", "--json"], ["list", "--prometheus"], ["top", "--interval", "0.1"]] {
            let result = try run(program, command, environment: environment)
            #expect(result.status == 0 && result.text.contains("some/orders") && !result.text.contains("hidden"))
            let lines = result.errors.split(separator: "\n")
            #expect(lines.count == 1 && lines[0].contains("left out: Mailslot \"hidden\"") && lines[0].contains("holds a lease"))
        }
        let doctor = try call("doctor")
        #expect(doctor.status == 0 && doctor.text.contains("left out: Mailslot \"hidden\"") && doctor.text.contains("1 in \"some/orders\""))
        let info = try call("info", "hidden", "some/orders")
        #expect(info.status == 1 && info.errors.contains("holds a lease") && info.text.contains("some/orders"))
        owner.kill()
        #expect(try call("list").errors.isEmpty)
    }

    @Test func `doctor names a mailslot that others may read and not write`() throws {
        try leave("orders", unread: 1)
        let file = folder.appending(path: "mailslot.orders").path
        #expect(!(try call("doctor")).text.contains("who may read but not write"))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        #expect(try call("doctor").text.contains("\"orders\": users who may read but not write can hold them up"))
        #expect(try call("info", "orders").text.contains("mode 0644"))
    }

    @Test(.enabled(if: geteuid() != 0 || isInstalled("setpriv"), "setpriv is not installed, and this is root"))
    func `everything works for a user without privileges`() throws {
        let asNobody = geteuid() == 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []
        // Where the build is not open to nobody, a copy of the program is.
        let copy = folder.appending(path: "mailslot")
        try FileManager.default.copyItem(at: program, to: copy)
        let own = folder.appending(path: "own")
        try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
        for path in [folder.path, own.path, copy.path] {
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
            if geteuid() == 0 { try FileManager.default.setAttributes([.ownerAccountID: 65534], ofItemAtPath: path) }
        }
        let script = """
            set -e
            "$0" doctor > doctor || { cat doctor >&2; exit 1; }
            "$0" read orders --count 3 > read &
            "$0" write --wait 30 orders one two
            "$0" list | grep -q orders
            "$0" info orders --prometheus | grep -q 'written_total{mailslot="orders"} 2'
            "$0" tail orders --no-follow > tail
            "$0" top --interval 0.1 | grep -q orders
            "$0" write orders three
            wait $!
            cat read tail
            """
        let environment = ["MAILSLOT_DIRECTORY": own.path, "HOME": own.path]
        let result = try run(
            "env", asNobody + ["sh", "-c", script, copy.path], environment: environment, folder: own)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.text == "one\ntwo\nthree\none\ntwo\n")
    }

    // MARK: other users

    /// The program as another user, who can run it where the build is not open to everybody.
    func callAs(_ user: Int, _ arguments: String...) throws -> RunningProgram.Result {
        let copy = folder.appending(path: "program")
        if !FileManager.default.fileExists(atPath: copy.path) {
            try FileManager.default.copyItem(at: program, to: copy)
            unsafe chmod(copy.path, 0o755)
        }
        return try run(
            "setpriv", ["--reuid=\(user)", "--regid=\(user)", "--clear-groups", copy.path] + arguments, environment: environment)
    }

    static let canBeOthers = geteuid() == 0 && isInstalled("setpriv")

    @Test(.enabled(if: canBeOthers, "this is not root, or setpriv is not installed"))
    func `a directory that may not be written is what is named`() throws {
        unsafe chmod(folder.path, 0o755)
        let read = try callAs(65534, "read", "x", "--timeout", "0")
        #expect(read.status == 1 && read.errors.contains("\(folder.path), cannot be used: Permission denied"), "\(read.errors)")
        let doctor = try callAs(65534, "doctor")
        #expect(doctor.status == 1 && doctor.text.contains("you may not make files there: Permission denied\n"), "\(doctor.text)")
    }

    @Test(.enabled(if: canBeOthers, "this is not root, or setpriv is not installed"))
    func `another user's mailslot is opened by who is told to trust that user`() throws {
        unsafe chmod(folder.path, 0o1777)
        let copied = try callAs(65534, "--version")
        #expect(copied.status == 0)
        let reader = try RunningProgram(
            URL(filePath: "/usr/bin/env"),
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", folder.path + "/program", "read", "x", "--mode", "0666"],
            environment: environment)
        try blockUntil("it is there") { try call("info", "x").status == 0 }
        let owner = userName(65534)
        for refused in [
            try call("write", "x", "no"), try callAs(65533, "write", "x", "no"), try call("write", "x", "no", "--trust-user=0"),
        ] {
            #expect(refused.status == 1 && refused.errors.contains("--trust-user \(owner)"), "\(refused.errors)")
        }
        for (user, options) in [(0, ["--trust-user", owner]), (65533, ["--trust-user", "65534"]), (65533, ["--trust-anyone"])] {
            let written = try run(
                "setpriv", ["--reuid=\(user)", "--clear-groups", folder.path + "/program", "write", "x", "yes"] + options,
                environment: environment)
            #expect(written.status == 0, "\(written.errors)")
        }
        try blockUntil("all are read") { reader.outputSoFar == "yes\nyes\nyes\n" }
        let second = try callAs(65533, "read", "x")
        #expect(second.status == 1 && second.errors.contains("is taken by user \(owner)") && !second.errors.contains("trust"))
        for strange in ["nobody-of-this-name", "4294967294", "4294967295", "-1"] {
            #expect(try call("write", "x", "no", "--trust-user=\(strange)").status == 64)
        }
        #expect(try call("write", "x", "no", "--trust-user", owner, "--trust-anyone").status == 64)
        reader.kill()
    }

    // MARK: terminals

    /// What a terminal is given that is a command's standard output.
    func onTerminal(_ arguments: [String]) throws -> String {
        let script = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
        let result = try run(
            "python3", ["-c", script, "sh", "-c", #"exec "$0" "$@" 2> /dev/null"#, program.path] + arguments, environment: environment)
        #expect(result.status == 0, "\(result.errors)")
        return result.text.replacing("\r\n", with: "\n")
    }

    /// What a terminal would obey or show otherwise than it is: a title, a screen that is cleared, letters the other way round.
    static let hostile = "\u{1b}]0;title\u{7}\\ ü\tx\ny\r\u{9b}2J\u{202e}live\u{2028}\u{e0001}"

    @Test(.enabled(if: isInstalled("python3"), "python3 is not installed"))
    func `a terminal is given what it can show, and a pipe the bytes`() throws {
        let bytes = Data(Self.hostile.utf8) + [0xff, 0xe2, 0x80]
        try leave("hostile") { try call("write", "hostile", "--raw", input: bytes) }
        let written = #"\x1b]0;title\x07\\ ü$TABx$NEWLINEy\r\u{9b}2J\u{202e}live\u{2028}\u{e0001}\xff\xe2\x80"#.replacing(
            "$TAB", with: "\t")
        let line = written.replacing("$NEWLINE", with: #"\n"#) + "\n"
        let last = ["hostile", "--no-follow", "--last", "1"]
        #expect(try onTerminal(["tail"] + last) == line)
        #expect(try onTerminal(["tail", "--raw"] + last) == written.replacing("$NEWLINE", with: "\n"))
        #expect(try run(program, ["tail"] + last, environment: environment).output == bytes + Data("\n".utf8))
        #expect(try run(program, ["tail", "--raw"] + last, environment: environment).output == bytes)
        #expect(try onTerminal(["read", "hostile", "--adopt", "--count", "1"]) == line)
    }

    @Test(.enabled(if: isInstalled("python3"), "python3 is not installed"))
    func `JSON on a terminal means the same, and is harmless`() throws {
        try leave("hostile") { try call("write", "hostile", "--raw", input: Data(Self.hostile.utf8)) }
        let shown = try onTerminal(["tail", "hostile", "--no-follow", "--last", "1", "--json"])
        #expect(shown.unicodeScalars.allSatisfy { $0.value >= 32 && $0.isASCII || "\nü".unicodeScalars.contains($0) }, "\(shown)")
        struct Line: Decodable { let text: String }
        #expect(try JSONDecoder().decode(Line.self, from: Data(shown.utf8)).text.unicodeScalars.elementsEqual(Self.hostile.unicodeScalars))
    }

    @Test func `what joins letters and emoji stays`() throws {
        let text = "👩‍👩‍👧 می‌خواهم"
        for notation in [TerminalNotation.line, .stream, .json] {
            #expect(notation.escaped(unsafe Array(text.utf8).span.bytes) == Array(text.utf8))
        }
        #expect(printable("\(text)\u{1b}\u{202e}") == "\(text)\u{fffd}\u{fffd}")
    }

    @Test func `completions are scripts of their shells, and know the names`() throws {
        for shell in ["bash", "zsh", "fish"] {
            let script = try mailslot("--generate-completion-script", shell)
            #expect(script.status == 0 && script.text.contains("mailslot"))
            if !isInstalled(shell) { continue }
            #expect(try run(shell, ["-n"], input: script.output).status == 0, "\(shell)")
        }
        let reader = try start("read", "orders/one")
        try blockUntil("it is there") { try call("info", "orders/one").status == 0 }
        let script = """
            source <("$0" --generate-completion-script bash)
            COMP_WORDS=(mailslot info orders/) COMP_CWORD=2 COMP_LINE="mailslot info orders/" COMP_POINT=21
            mailslot() { "$0" "$@"; }
            PATH=$(dirname "$0"):$PATH
            _mailslot mailslot orders/ info
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        let result = try run("bash", ["-c", script, program.path], environment: environment)
        #expect(result.text.split(separator: "\n").contains { $0.hasPrefix("orders/one") }, "\(result.text)\(result.errors)")
        reader.kill()
    }

    @Test func `bench measures both ways, and leaves nothing behind`() throws {
        let text = try call("bench", "--round-trips", "1000", "--seconds", "0.1")
        #expect(text.status == 0 && text.text.contains("one way, 424 bytes"), "\(text.errors)")
        struct Results: Decodable {
            struct RoundTrip: Decodable { let size: Int, p50: Int, max: Int }
            struct OneWay: Decodable { let size: Int, messagesPerSecond: Double }
            let roundTripNanoseconds: [RoundTrip], oneWay: [OneWay]
        }
        let json = try call("bench", "--round-trips", "1000", "--seconds", "0.1", "--size", "8", "--json")
        let results = try JSONDecoder().decode(Results.self, from: json.output)
        #expect(results.roundTripNanoseconds.first.map { $0.size == 8 && $0.p50 > 50 && $0.max >= $0.p50 } == true)
        #expect(results.oneWay.map(\.size) == [8] && results.oneWay[0].messagesPerSecond > 1000)
        #expect(try call("bench", "--size", "425").status == 64)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
}

/// A mailslot for as long as somebody holds it.
private final class Holder: @unchecked Sendable {
    let name: String
    private let reader: Moved<MailslotReader>

    init(_ name: String) throws {
        self.name = name
        reader = Moved(try Mailslot.create(name, capacity: 8))
    }
}
