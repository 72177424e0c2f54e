import Foundation
import TestSupport
import Testing

@testable import Mailslots
@testable import MailslotsCommand

/// `mailslot keygen` and `mailslot-bridge`, as far as one process shows it; what two bridges do: BridgesTests.
@Suite(.blocking) final class BridgeCommandTests {
    let folder: URL
    init() throws { folder = try temporaryFolder("bridge-command") }
    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    func call(_ arguments: String...) throws -> RunningProgram.Result {
        try run(
            buildFolder.appending(path: "mailslot"), arguments, environment: ["MAILSLOT_DIRECTORY": folder.path], folder: folder)
    }

    // MARK: keygen

    @Test func `keygen makes a private file, prints the key's id, and never overwrites`() throws {
        let made = try call("keygen", "studio.key")
        #expect(made.status == 0)
        let id = try #require(made.text.wholeMatch(of: /studio\.key: key ([0-9a-f]{8})\n/)?.1)
        let text = try String(contentsOf: folder.appending(path: "studio.key"), encoding: .utf8)
        #expect(text.contains("key \(id).") && text.contains(/\n[0-9a-f]{64}\n/))
        #expect(try call("bridge", "--domain", "studio", "--key", "studio.key", "--check").text.contains("key \(id);"))

        let again = try call("keygen", "studio.key")
        #expect(again.status == 1 && again.text.isEmpty)
        #expect(again.errors.contains("studio.key is there already, and a key is never overwritten"))
        #expect(try String(contentsOf: folder.appending(path: "studio.key"), encoding: .utf8) == text)
        #expect(try call("keygen").text.hasPrefix("mailslot.key: key "))
    }

    @Test(arguments: ["000", "022", "777"]) func `a key's mode is 0600, whatever the umask`(umask: String) throws {
        let program = buildFolder.appending(path: "mailslot").path
        #expect(try run("sh", ["-c", "umask \(umask); \"$0\" keygen some.key", program], folder: folder).status == 0)
        #expect(try FileManager.default.attributesOfItem(atPath: path("some.key"))[.posixPermissions] as? Int == 0o600)
    }

    @Test func `the help of keygen says how a key is copied and replaced`() throws {
        let help = try call("keygen", "--help").text
        #expect(help.contains("scp -p studio.key render7:") && help.contains("alsoAccepted") && help.contains("kill -HUP"))
    }

    // MARK: the daemon, a program of its own

    /// `mailslot` in a folder of this test's own, and there a `mailslot-bridge` that is a script, if one is given.
    func programs(in name: String, bridge script: String? = nil) throws -> URL {
        let bin = folder.appending(path: name)
        try FileManager.default.createDirectory(at: bin, withIntermediateDirectories: true)
        let program = bin.appending(path: "mailslot")
        // Another process writes them: a child that another test starts while we write would keep them open, and then nobody can start
        // them ("text file busy").
        func place(_ original: URL, _ copy: String) throws {
            #expect(try run("install", ["-m", "755", original.path, bin.appending(path: copy).path]).status == 0)
        }
        try place(buildFolder.appending(path: "mailslot"), "mailslot")
        if let script {
            let original = bin.appending(path: "script")
            try "#!/bin/sh\n\(script)\n".write(to: original, atomically: true, encoding: .utf8)
            try place(original, "mailslot-bridge")
        }
        return program
    }

    @Test(arguments: [["--help"], ["-h"], ["--version"], ["--check", "--insecure", "--domain", "studio"]])
    func `mailslot bridge is mailslot-bridge`(arguments: [String]) throws {
        let direct = try run(buildFolder.appending(path: "mailslot-bridge"), arguments)
        let result = try run(buildFolder.appending(path: "mailslot"), ["bridge"] + arguments)
        #expect(direct.status == 0 && !direct.text.isEmpty, "\(direct.errors)")
        #expect(result.text == direct.text && result.status == 0 && result.errors == direct.errors)
    }

    @Test func `the help lists the bridge`() throws {
        #expect(try call("--help").text.contains(/\n  bridge +Carry messages between/))
    }

    @Test func `the bridge beside the program goes before those on PATH, becomes it, and gets each argument as it is`() throws {
        let tell = #"echo "$0 $$"; printf '<%s>' "$@"; exit 7"#
        let beside = try programs(in: "beside", bridge: tell)
        let alone = try programs(in: "alone")
        let path = "\(folder.path)/none::\(folder.path)/beside:/usr/bin:/bin"
        let arguments = ["--help", "a b", "", "--version", "-x", "ü", "--key=-"]
        for program in [beside, alone] {
            let started = try RunningProgram(program, ["bridge"] + arguments, environment: ["PATH": path])
            let result = try started.wait()
            #expect(result.text == "\(folder.path)/beside/mailslot-bridge \(started.id)\n<--help><a b><><--version><-x><ü><--key=->")
            #expect(result.status == 7 && result.errors.isEmpty, "\(result.errors)")
        }
        let other = try programs(in: "other", bridge: "echo another")
        #expect(try run(other, ["bridge"], environment: ["PATH": path]).text == "another\n")
    }

    @Test func `where there is no bridge, bridge says how to have one, and keygen does without`() throws {
        let program = try programs(in: "alone")
        let environment = ["PATH": folder.path + "/none"]
        let bridge = try run(program, ["bridge", "--status"], environment: environment, folder: folder)
        #expect(bridge.status == 1 && bridge.text.isEmpty)
        #expect(bridge.errors.contains("neither in \(folder.path)/alone nor on PATH"), "\(bridge.errors)")
        #expect(
            bridge.errors.contains("swift build -c release --product mailslot-bridge") && bridge.errors.contains("--with-program PREFIX"))

        let made = try run(program, ["keygen", "some.key"], environment: environment, folder: folder)
        #expect(made.status == 0 && made.errors.isEmpty)
        #expect(made.text == "some.key: made; its id says mailslot bridge --check\n")
        let text = try String(contentsOf: folder.appending(path: "some.key"), encoding: .utf8)
        #expect(text.contains(/^# A key of Mailslots\. Who has it [^\n]*\n[0-9a-f]{64}\n$/))
        #expect(try call("bridge", "--domain", "studio", "--key", "some.key", "--check").text.contains(/key [0-9a-f]{8};/))
    }

    @Test(arguments: ["exit 64", "kill -9 $$", "echo key", "echo 'key 1f2e3d4c'; exit 1"])
    func `a bridge that does not say a key's id does not keep keygen from making it`(script: String) throws {
        let made = try run(try programs(in: "strange", bridge: script), ["keygen", "some.key"], folder: folder)
        #expect(made.status == 0 && made.text == "some.key: made; its id says mailslot bridge --check\n", "\(made.text)\(made.errors)")
    }

    @Test func `a key goes to the bridge by standard input, and by nothing else`() throws {
        let script = #"od -An -v -tx1 | tr -d ' \n' > got; echo "$*" > arguments; env > environment; echo 'key 1f2e3d4c'"#
        let made = try run(try programs(in: "watched", bridge: script), ["keygen", "some.key"], folder: folder)
        #expect(made.text == "some.key: key 1f2e3d4c\n", "\(made.errors)")
        let digits = try String(contentsOfFile: path("got"), encoding: .utf8)
        #expect(digits.count == 64)
        #expect(try String(contentsOfFile: path("some.key"), encoding: .utf8).contains("\n\(digits)\n"))
        for place in ["arguments", "environment"] {
            #expect(try !String(contentsOfFile: path(place), encoding: .utf8).contains(digits))
        }
    }

    @Test(arguments: [0, 31, 33]) func `what has not 32 bytes has no id`(count: Int) throws {
        let bridge = buildFolder.appending(path: "mailslot-bridge")
        let result = try run(bridge, ["--key-id"], input: Data(repeating: 1, count: count))
        #expect(result.status == 64 && result.text.isEmpty && result.errors.contains("A key has 32 bytes."))
    }

    @Test func `a bridge of another release than mailslot says so, and goes on`() throws {
        let bridge = buildFolder.appending(path: "mailslot-bridge")
        let arguments = ["--check", "--insecure", "--domain", "studio"]
        let other = try run(bridge, arguments, environment: ["MAILSLOT_PROGRAM_VERSION": "0.0.1"])
        #expect(try other.text == run(bridge, arguments).text && other.status == 0)
        #expect(other.errors.contains("and mailslot is version 0.0.1: install both of one release"), "\(other.errors)")
    }

    // MARK: what is refused

    /// Each with its status, and what it says: the cause, and the cure.
    @Test(arguments: [
        ([], 1, "domains: there is none.", "--domain NAME"),
        (["--domain", "studio"], 1, "without a key everybody can read and forge messages", "mailslot keygen studio.key"),
        (["--domain", "studio", "--key", "none"], 1, "cannot be read: No such file or directory", "mailslot keygen"),
        (["--domain", "studio", "--key", "open.key"], 1, "has mode 0644: others than its owner may read or write it", "chmod 600"),
        (["--domain", "studio", "--key", "short.key"], 1, "has a key of 62 hexadecimal digits, and a key has 64", "Copy the whole"),
        (["--domain", "studio", "--insecure", "--host", "Studio"], 1, "\"Studio\" is also a domain's name", "--host NAME"),
        (["--domain", "a/b", "--insecure"], 1, "\"a/b\" cannot be a name", "Choose 1 to 63 bytes"),
        (["--domain", "studio", "--insecure", "--port", "70000"], 1, "network.port: it is 70000", "Choose 0 to 65535."),
        (["--domain", "studio", "--insecure", "--peer", "a:b"], 1, "\"a:b\" is not [HOST=]ADDRESS[:PORT]", "Write 192.0.2.7"),
        (["--domain", "studio", "--insecure", "--group", "192.0.2.7"], 1, "is not a multicast address", "239.255.0.0"),
        (["--domain", "studio", "--insecure", "--address", "render7"], 1, "is not a numeric address", "ip address"),
        (["--domain", "studio", "--insecure", "--interface", "a b"], 1, "cannot be an interface's name", "ip link"),
        (["--domain", "studio", "--insecure", "--engine", "fast"], 1, "there is none called \"fast\"", "mmsg, io_uring"),
        (["--domain", "studio", "--insecure", "--mode", "0777"], 1, "outboxes.permissions: it is 0777", "0660"),
        (["--insecure"], 1, "are of one domain, and there is none", "--domain NAME"),
        (["--config", "none.json"], 1, "The configuration file none.json cannot be read", "--config FILE"),
        (["--config", "misspelt.json"], 1, "netwrok.port: there is no such setting", "domains"),
        (["--domain", "studio", "--insecure", "--log-level", "loud"], 64, "--log-level is one of trace, debug", "--help"),
        (["--domain", "studio", "--insecure", "--port", "many"], 64, "invalid for '--port", "--help"),
    ])
    func `what cannot be is refused before anything is opened`(arguments: [String], status: Int32, cause: String, cure: String) throws {
        try "\(String(repeating: "1", count: 62))\n".write(toFile: path("short.key"), atomically: true, encoding: .utf8)
        try "\(String(repeating: "1", count: 64))\n".write(toFile: path("open.key"), atomically: true, encoding: .utf8)
        try #"{"domains": ["a"], "domain": {"a": {"insecure": true}}, "netwrok": {"port": 1}}"#
            .write(toFile: path("misspelt.json"), atomically: true, encoding: .utf8)
        unsafe chmod(path("short.key"), 0o600)
        unsafe chmod(path("open.key"), 0o644)
        // A watchdog: one that is not refused serves for ever.
        let result = try run(
            "timeout", ["20", buildFolder.appending(path: "mailslot").path, "bridge"] + arguments,
            environment: ["MAILSLOT_DIRECTORY": folder.path], folder: folder)
        #expect(result.status == status)
        #expect(result.errors.contains(cause) && result.errors.contains(cure), "\(result.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix("mailslot.") }.isEmpty)
    }

    // MARK: what it says

    @Test func `check says what a configuration means`() throws {
        #expect(try call("keygen", "a.key").status == 0 && call("keygen", "b.key").status == 0)
        let text = """
            {
                "host": "render7", "domains": ["studio", "stage"],
                "domain": {
                    "studio": {"key": "a.key", "alsoAccepted": ["b.key"], "groups": ["239.1.2.3"]},
                    "stage": {"insecure": true, "groups": [], "peers": ["render8=192.0.2.8", "192.0.2.9:1"]}
                },
                "network": {"engine": "mmsg", "addresses": ["127.0.0.1"]}, "delivery": {"allowedMailslots": ["jobs", "render/*"]}
            }
            """
        try text.write(toFile: path("bridge.json"), atomically: true, encoding: .utf8)
        let result = try call("bridge", "--config", "bridge.json", "--port", "5000", "--check")
        #expect(result.status == 0, "\(result.errors)")
        let lines = result.text.split(separator: "\n")
        #expect(lines[0] == "host           render7")
        #expect(lines[1].contains(/^domain studio  key [0-9a-f]{8}, also accepted: key [0-9a-f]{8}; multicast to 239\.1\.2\.3$/))
        #expect(lines[2].hasPrefix("domain stage   NO KEY: everybody can read and forge its messages; "))
        #expect(lines[2].hasSuffix("; peers render8=192.0.2.8 port 5000, 192.0.2.9 port 1"))
        #expect(lines[3] == "network        UDP port 5000 of 127.0.0.1; multicast by the kernel's routes")
        #expect(lines[4] == "engine         mmsg")
        #expect(lines[6].contains("from * into jobs, render/*, those that accept remote messages; no limits"))
    }

    @Test(
        .disabled(if: isSanitized, "a sanitizer asks for what is refused"), .enabled(if: isInstalled("python3"), "python3 is not installed")
    )
    func `check fails where the engine that was chosen cannot be used`() throws {
        let script = packageRoot.appending(path: "Tests/Support/Command/confined.py").path
        let bridge = [buildFolder.appending(path: "mailslot-bridge").path, "--domain", "studio", "--insecure", "--check", "--engine"]
        for (engine, status) in [("io_uring", Int32(1)), ("mmsg", 0), ("automatic", 0)] {
            let result = try run("python3", [script] + bridge + [engine])
            if result.status == 77 { try Test.cancel("the kernel filters no system calls here") }
            #expect(result.status == status && result.text.contains("domain studio"), "\(result.text)\(result.errors)")
            #expect(result.errors.contains("The engine io_uring cannot be used") == (status == 1), "\(result.errors)")
        }
    }

    @Test func `check fails where the client of NATS was not built in`() throws {
        let result = try call("bridge", "--domain", "studio", "--insecure", "--nats", "nats://10.0.0.5:4222", "--check")
        #expect(result.text.contains("NATS through nats://10.0.0.5:4222"))
        #expect(result.status == (NATSClient.isUsable ? 0 : 1))
        #expect(result.errors.contains("NATS cannot be used") == !NATSClient.isUsable, "\(result.errors)")
    }

    @Test func `environment variables are settings`() throws {
        let environment = [
            "MAILSLOT_BRIDGE_DOMAINS": "studio", "MAILSLOT_BRIDGE_DOMAIN_STUDIO_INSECURE": "true",
            "MAILSLOT_BRIDGE_HOST": "of-environment",
        ]
        let program = buildFolder.appending(path: "mailslot")
        #expect(try run(program, ["bridge", "--check"], environment: environment).text.contains("of-environment"))
        #expect(try run(program, ["bridge", "--check", "--host", "of-flag"], environment: environment).text.contains("of-flag"))
    }

    /// The article Bridge, of which this is what a reader copies.
    static let article =
        (try? String(
            contentsOf: packageRoot.appending(path: "Sources/Mailslots/Mailslots.docc/Bridge.md"), encoding: .utf8)) ?? ""

    @Test func `the configuration in the article says the defaults, and explains every setting`() throws {
        let article = Self.article
        let text = try #require(ReadmeTests.snippets(in: article).first { $0.kind == "configuration" }).text
        #expect(try call("keygen", "studio.key").status == 0)
        try text.write(toFile: path("bridge.json"), atomically: true, encoding: .utf8)
        let all = try call("bridge", "--config", "bridge.json", "--check")
        #expect(all.status == 0, "\(all.errors)")
        let least = try call("bridge", "--domain", "studio", "--key", "studio.key", "--host", "render7", "--check")
        // The peers are examples.
        #expect(all.text.replacing(/; peers [^\n]*/, with: "") == least.text)
        for key in text.matches(of: /"([A-Za-z]+)": [^{]/).map({ String($0.1) }) {
            #expect(article.contains("`\(key)`") || article.contains(".\(key)`"), "\(key)")
        }
    }

    @Test func `every option that the article names is there`() throws {
        let help =
            try call("bridge", "--help").text + call("keygen", "--help").text + call("hosts", "--help").text
            + call("read", "--help").text + call("write", "--help").text
        for option in Self.article.matches(of: /(--[a-z]+)/).map({ String($0.1) }) where option != "--with" && option != "--user" {
            #expect(help.contains(option) || ["--now", "--no"].contains(option), "\(option)")
        }
    }

    @Test(
        .enabled(if: BridgesTests.canMakeNetworks, "no network namespaces, or no ip"),
        .disabled(if: isSanitized, "programs built for a sanitizer start too slowly to be left alone"))
    func `the two machines of the article speak with each other`() throws {
        for snippet in ReadmeTests.snippets(in: Self.article) where snippet.kind == "machine" {
            try snippet.text.write(toFile: path("\(snippet.name).sh"), atomically: true, encoding: .utf8)
        }
        let script = packageRoot.appending(path: "Tests/Systems/TwoMachines/run").path
        let result = try run(
            "timeout", ["-k", "5", "100", script, path("render7.sh"), path("desk.sh")],
            environment: ["PATH": buildFolder.path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")], folder: folder)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.text == "hello\n", "\(result.errors)")
    }

    // MARK: systemd

    @Test(
        .enabled(if: isInstalled("systemd-analyze"), "systemd-analyze is not installed"),
        .disabled(if: isSanitized, "systemd-analyze says nothing of the program"), arguments: ["system", "user"])
    func `systemd understands the unit`(kind: String) throws {
        let unit = packageRoot.appending(path: "Sources/MailslotsBridge/systemd/\(kind)/mailslots-bridge.service")
        // The program is not where it is to be installed.
        let text = try String(contentsOf: unit, encoding: .utf8)
            .replacing("/usr/local/bin/mailslot", with: buildFolder.appending(path: "mailslot").path)
        try text.write(toFile: path("mailslots-bridge.service"), atomically: true, encoding: .utf8)
        let result = try run(
            "systemd-analyze", ["verify", "--man=no", "--\(kind)", path("mailslots-bridge.service")],
            environment: ["XDG_RUNTIME_DIR": folder.path])
        #expect(result.status == 0 && !result.errors.contains("mailslots-bridge.service:"), "\(result.text)\(result.errors)")
    }
}
