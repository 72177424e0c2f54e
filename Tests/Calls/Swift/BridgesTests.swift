import Foundation
import TestSupport
import Testing

@testable import Mailslots

/// Two real bridges on loopback, each with a directory and an address of its own, and what their users do.
@Suite(.blocking, .serialized, .timeLimit(.minutes(5))) struct BridgesTests {
    /// One of them, and the processes beside it.
    final class Machine {
        let folder: URL
        let host: String
        let address: String
        private(set) var bridge: RunningProgram?

        init(_ host: String, address: String) throws {
            self.host = host
            self.address = address
            folder = try temporaryFolder("machine")
        }
        deinit { try? FileManager.default.removeItem(at: folder) }

        var environment: [String: String] { ["MAILSLOT_DIRECTORY": folder.path] }

        func call(_ arguments: String..., input: Data = Data()) throws -> RunningProgram.Result {
            try run(
                "timeout", ["60", buildFolder.appending(path: "mailslot").path] + arguments, input: input, environment: environment,
                folder: folder)
        }

        func start(_ arguments: [String]) throws -> RunningProgram {
            try RunningProgram(buildFolder.appending(path: "mailslot"), arguments, environment: environment, folder: folder)
        }
        func start(_ arguments: String...) throws -> RunningProgram { try start(arguments) }

        func startBridge(_ more: [String]) throws {
            bridge = try start(["bridge", "--host", host, "--address", address] + more)
        }

        /// The mailslot is there: a writer has found it.
        func awaitReader(_ name: String, first text: String) throws {
            #expect(try call("write", "--wait", "30", name, text).status == 0)
        }

        func write(_ text: String, to name: String) throws -> RunningProgram.Result { try call("write", "--wait", "30", name, text) }

        func endBridge(_ signal: Int32 = SIGTERM) throws -> RunningProgram.Result {
            let bridge = try #require(self.bridge)
            _ = kill(bridge.id, signal)
            defer { self.bridge = nil }
            return try bridge.wait()
        }
    }

    /// Of this test alone: an address range and a port that nobody else has.
    struct Network {
        let here: Machine
        let there: Machine
        let port = "\(UInt16.random(in: 20_000...32_000))"

        init() throws {
            let prefix = "127.\(UInt8.random(in: 1...250)).\(UInt8.random(in: 1...250))"
            here = try Machine("here", address: "\(prefix).2")
            there = try Machine("there", address: "\(prefix).3")
            #expect(try here.call("keygen", "studio.key").status == 0)
            try FileManager.default.copyItem(
                at: here.folder.appending(path: "studio.key"), to: there.folder.appending(path: "studio.key"))
        }

        var options: [String] { ["--domain", "studio", "--key", "studio.key", "--port", port] }

        func startBridges() throws {
            try here.startBridge(options + ["--peer", there.address])
            try there.startBridge(options + ["--peer", here.address])
        }
    }

    @Test func `messages go to a host, to a domain, and to everybody, and say whence they come`() throws {
        let network = try Network()
        let (here, there) = (network.here, network.there)
        try network.startBridges()
        let reader = try there.start("read", "--remote", "--json", "--count", "4", "jobs")
        try there.awaitReader("jobs", first: "local")
        let own = try here.start("read", "--remote", "--count", "3", "jobs")
        try here.awaitReader("jobs", first: "own")
        for name in [#"\\there\mailslot\jobs"#, #"\\Studio\mailslot\jobs"#, #"\\*\mailslot\jobs"#] {
            let result = try here.write("to \(name)", to: name)
            #expect(result.status == 0, "\(result.errors)")
        }
        struct Line: Decodable { let text: String, host: String?, domain: String?, authenticated: Bool? }
        let lines = try reader.wait().text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        #expect(lines.map(\.text) == ["local", #"to \\there\mailslot\jobs"#, #"to \\Studio\mailslot\jobs"#, #"to \\*\mailslot\jobs"#])
        #expect(lines.map(\.host) == [nil, "here", "here", "here"] && lines.map(\.domain) == [nil, "studio", "studio", "studio"])
        #expect(lines.map(\.authenticated) == [nil, true, true, true])
        #expect(try own.wait().text == "own\nto \\\\Studio\\mailslot\\jobs\nto \\\\*\\mailslot\\jobs\n")

        let hosts = try here.call("hosts")
        let row = try #require(hosts.text.split(separator: "\n").last).split(separator: " ")
        #expect(row.prefix(5).map(String.init) == ["there", "studio", "\(there.address):\(network.port)", "there", "yes"])
        #expect(try here.call("doctor").text.contains(/bridge +process [0-9]+ of user/))

        try blockUntil("what was delivered is counted") {
            try there.call("bridge", "--status").text.contains(/messages_delivered +3\n/)
        }
        let end = try there.endBridge()
        #expect(end.status == 0 && end.signal == nil, "\(end.errors)")
        #expect(end.errors.contains("studio (key ") && end.errors.contains("UDP on \(there.address):\(network.port)"))
        try blockUntil("the goodbye was heard") { try here.call("hosts").text.contains(" gone ") }
        #expect(try here.endBridge(SIGINT).status == 0)
        #expect(try here.call("hosts").errors.contains("no bridge runs here"))
        #expect(try here.call("bridge", "--status").status == 3)
        #expect(try here.call("list").text.isEmpty)
    }

    @Test func `a call goes to another machine and its answer comes back; what is lost is a time-out, and says so`() throws {
        let network = try Network()
        let (here, there) = (network.here, network.there)
        try network.startBridges()
        let program = buildFolder.appending(path: "mailslots-requests")
        let server = try RunningProgram(program, ["server", "prices", "--remotely"], environment: there.environment)
        defer { server.kill() }
        try blockUntil("it serves") { server.outputSoFar.contains("ready") }
        func call(_ milliseconds: Int, _ question: String) throws -> String {
            let arguments = ["60", program.path, "remote-call", #"\\there\mailslot\prices"#, "\(milliseconds)", question]
            return try run("timeout", arguments, environment: here.environment, folder: here.folder).text
        }
        #expect(try call(30_000, "gold?") == "gold?prices\n")

        // Its machine is off the network; the bridge here still takes what is written.
        _ = kill(try #require(there.bridge).id, SIGSTOP)
        let lost = try call(500, "silver?")
        #expect(lost.hasPrefix("timed out: "), "\(lost)")
        #expect(lost.contains("The server is on another machine: the request or the answer may have been lost"), "\(lost)")
        #expect(lost.contains("call again with the same id"), "\(lost)")
        _ = kill(try #require(there.bridge).id, SIGCONT)
        #expect(try call(30_000, "silver!") == "silver!prices\n")
        #expect(try here.endBridge().status == 0 && there.endBridge().status == 0)
    }

    // MARK: bad input, at the call that caused it

    @Test func `names that cannot be written to say why, with a cure and a status`() throws {
        let network = try Network()
        let here = network.here
        let missing = try here.call("write", #"\\there\mailslot\jobs"#, "x")
        #expect(missing.status == 3)
        #expect(missing.errors.contains("no bridge is running on this one") && missing.errors.contains("mailslot bridge"))

        try FileManager.default.createDirectory(at: here.folder.appending(path: "x"), withIntermediateDirectories: true)
        try #"{"domains": ["studio"], "domain": {"studio": {"key": "studio.key"}}, "outboxes": {"allowed": ["studio/jobs"]}}"#
            .write(to: here.folder.appending(path: "bridge.json"), atomically: true, encoding: .utf8)
        try here.startBridge(["--config", "bridge.json", "--port", network.port, "--peer", network.there.address])
        let known = try here.write("x", to: #"\\studio\mailslot\jobs"#)
        #expect(known.status == 0, "\(known.errors)")
        let stranger = try here.call("write", #"\\nobody\mailslot\jobs"#, "x")
        #expect(stranger.status == 3)
        #expect(stranger.errors.contains("there is no such host or domain") && stranger.errors.contains("mailslot hosts"))
        let forbidden = try here.call("write", #"\\studio\mailslot\other"#, "x")
        #expect(forbidden.status == 1)
        #expect(forbidden.errors.contains("outboxes.allowed, does not let studio/other be sent to"))

        let long = try here.write(String(repeating: "x", count: 425), to: #"\\studio\mailslot\jobs"#)
        #expect(long.status == 1)
        #expect(long.errors.contains("has 425 bytes; a message has at most 424"))
        let name = try here.call("write", #"\\studio\mailslot\"# + String(repeating: "x", count: 41), "x")
        #expect(name.status == 1)
        #expect(name.errors.contains("has at most 40 bytes when it is of another machine"))
        #expect(try here.call("read", #"\\studio\mailslot\jobs"#).errors.contains("can only be opened to write"))
        #expect(try here.endBridge().status == 0)
    }

    @Test func `a bridge leaves signals ignored that arrive so`() throws {
        let here = try Network().here
        let options = ["bridge", "--host", "here", "--address", "127.0.0.1", "--domain", "studio", "--insecure", "--port", "0"]
        let script = #"trap "" INT HUP QUIT; exec "$@""#
        let bridge = try RunningProgram(
            URL(filePath: "/bin/sh"), ["-c", script, "sh", buildFolder.appending(path: "mailslot").path] + options,
            environment: here.environment)
        let reader = try here.start("read", "--remote", "--count", "6", "jobs")
        try here.awaitReader("jobs", first: "local")
        #expect(try here.write("0", to: #"\\studio\mailslot\jobs"#).status == 0)
        for signal in [SIGINT, SIGHUP, SIGQUIT] { _ = kill(bridge.id, signal) }
        // One that ends carries no more, and soon is gone.
        for text in 1...4 { #expect(try here.write("\(text)", to: #"\\studio\mailslot\jobs"#).status == 0) }
        #expect(try reader.wait().text == "local\n0\n1\n2\n3\n4\n")
        _ = kill(bridge.id, SIGTERM)
        #expect(try bridge.wait().status == 0)
    }

    @Test func `a second bridge of a directory, and a port that is taken, are refused`() throws {
        let network = try Network()
        try network.startBridges()
        try blockUntil("it runs") { try network.here.call("info", "bridge/requests").status == 0 }
        let second = try network.here.start(
            ["bridge", "--host", "second", "--address", network.there.address] + network.options.dropLast() + [
                "\(Int(network.port)! + 1)"
            ])
        let secondEnd = try second.wait()
        #expect(secondEnd.status == 4)
        #expect(secondEnd.errors.contains("Another bridge serves this directory") && secondEnd.errors.contains("MAILSLOT_DIRECTORY"))

        let third = try Machine("third", address: network.here.address)
        #expect(try third.call("keygen", "studio.key").status == 0)
        try third.startBridge(network.options)
        let thirdEnd = try #require(third.bridge).wait()
        #expect(thirdEnd.status == 1)
        #expect(thirdEnd.errors.contains("the port is in use") && thirdEnd.errors.contains("ss -ulpn"))
        #expect(try network.here.endBridge().status == 0 && network.there.endBridge().status == 0)
    }

    @Test func `addresses and interfaces that are not there are refused`() throws {
        let machine = try Machine("here", address: "192.0.2.1")
        let options = ["--domain", "studio", "--insecure", "--port", "0"]
        try machine.startBridge(options)
        let address = try #require(machine.bridge).wait()
        #expect(address.status == 1)
        #expect(address.errors.contains("no interface of this machine has the address") && address.errors.contains("ip address"))
        let interface = try machine.start(["bridge", "--host", "here", "--interface", "nosuch0"] + options).wait()
        #expect(interface.status == 1)
        #expect(interface.errors.contains("This machine has no interface nosuch0") && interface.errors.contains("ip link"))
        #expect(interface.errors.contains("The domain studio has no key: everybody can read and forge"))
    }

    /// In a network of their own, which root can make.
    @Test(.enabled(if: canMakeNetworks, "no network namespaces, or no ip"))
    func `no multicast route, and an MTU that is too small, are refused`() throws {
        let machine = try Machine("here", address: "127.0.0.2")
        func says(_ setUp: String, _ options: String) throws -> RunningProgram.Result {
            let program = buildFolder.appending(path: "mailslot").path
            return try run(
                "unshare",
                [
                    "-n", "sh", "-c",
                    "set -e; \(setUp); exec timeout 20 \(program) bridge --domain studio --insecure --host here \(options)",
                ],
                environment: machine.environment)
        }
        let route = try says("ip link set lo up", "")
        #expect(route.status == 1)
        #expect(route.errors.contains("Multicast does not work, and the domain studio has no peers"), "\(route.errors)")
        #expect(route.errors.contains("ip route add 224.0.0.0/4 dev eth0"))
        let narrow = try says("ip link set lo mtu 500 up", "--address 127.0.0.1 --peer 127.0.0.2")
        #expect(narrow.status == 1)
        #expect(narrow.errors.contains("takes datagrams of 472 bytes, and 576 are needed"), "\(narrow.errors)")
        #expect(narrow.errors.contains("Raise the interface's MTU to 604"))
    }

    static let canMakeNetworks = geteuid() == 0 && isInstalled("ip") && (try? run("unshare", ["-n", "true"]).status) == 0

    // MARK: keys

    @Test func `who has another key is not heard, and a key is replaced while bridges run, without losing a message`() throws {
        let network = try Network()
        let (here, there) = (network.here, network.there)
        func configure(_ machine: Machine, peer: Machine, _ key: String) throws {
            try """
            {"domains": ["studio"], "domain": {"studio": {\(key), "peers": ["\(peer.host)=\(peer.address)"]}},
             "network": {"port": \(network.port)}, "announceEverySeconds": 0.2}
            """.write(to: machine.folder.appending(path: "bridge.json"), atomically: true, encoding: .utf8)
        }
        func reload(_ key: String) throws {
            for (machine, peer) in [(here, there), (there, here)] {
                try configure(machine, peer: peer, key)
                let times = try log(machine).ranges(of: "was loaded anew").count
                _ = kill(try #require(machine.bridge).id, SIGHUP)
                try blockUntil("it was read again") { try log(machine).ranges(of: "was loaded anew").count == times + 1 }
            }
        }
        func log(_ machine: Machine) throws -> String { try #require(machine.bridge).errorsSoFar }

        // A stranger to the key: heard by nobody.
        #expect(try here.call("keygen", "new.key").status == 0)
        try FileManager.default.copyItem(at: here.folder.appending(path: "new.key"), to: there.folder.appending(path: "new.key"))
        try configure(here, peer: there, #""key": "new.key""#)
        try configure(there, peer: here, #""key": "studio.key""#)
        for machine in [here, there] { try machine.startBridge(["--config", "bridge.json"]) }
        let reader = try there.start("read", "--remote", "--count", "6", "jobs")
        try there.awaitReader("jobs", first: "local")
        #expect(try here.write("never", to: #"\\there\mailslot\jobs"#).status == 0)

        try reload(#""key": "studio.key""#)
        #expect(try here.write("old key", to: #"\\there\mailslot\jobs"#).status == 0)
        let steps = [
            #""key": "studio.key", "alsoAccepted": ["new.key"]"#, #""key": "new.key", "alsoAccepted": ["studio.key"]"#,
            #""key": "new.key", "alsoAccepted": []"#,
        ]
        for (number, step) in steps.enumerated() {
            try reload(step)
            #expect(try here.write("step \(number)", to: #"\\there\mailslot\jobs"#).status == 0)
        }
        // What cannot be changes nothing.
        try configure(here, peer: there, #""key": "none.key""#)
        _ = kill(try #require(here.bridge).id, SIGHUP)
        try blockUntil("it says so") { try log(here).contains("The bridge goes on with the configuration that it had") }
        #expect(try log(here).contains("none.key cannot be read"))
        #expect(try here.write("still", to: #"\\there\mailslot\jobs"#).status == 0)

        #expect(try reader.wait().text == "local\nold key\nstep 0\nstep 1\nstep 2\nstill\n")
        #expect(try here.endBridge().status == 0 && there.endBridge().status == 0)
    }

    @Test func `a bridge that is stopped or killed wedges no writer, and what it had not sent the next one sends`() throws {
        let network = try Network()
        let (here, there) = (network.here, network.there)
        try network.startBridges()
        let reader = try there.start("read", "--remote", "--count", "4", "jobs")
        try there.awaitReader("jobs", first: "local")
        #expect(try here.write("one", to: #"\\there\mailslot\jobs"#).status == 0)
        let bridge = try #require(here.bridge)
        _ = kill(bridge.id, SIGSTOP)
        #expect(try here.write("two", to: #"\\there\mailslot\jobs"#).status == 0)
        bridge.kill()
        let orphan = try here.call("write", #"\\there\mailslot\jobs"#, "x")
        #expect(orphan.status == 3 && orphan.errors.contains("no bridge is running"))
        try here.startBridge(network.options + ["--peer", there.address])
        #expect(try here.write("three", to: #"\\there\mailslot\jobs"#).status == 0)
        #expect(try reader.wait().text == "local\none\ntwo\nthree\n")
        #expect(try here.endBridge().status == 0 && there.endBridge().status == 0)
    }
}
