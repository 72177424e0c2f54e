import Foundation
import TestProcesses
import Testing

@testable import MailslotsBridge

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A nats-server of a test's own, on a port of the loopback address. It is stopped, by its process id, when the object goes.
final class NATSServer: @unchecked Sendable {
    static let program = findProgram("nats-server")

    /// Why there are no tests with it here.
    static var obstacle: String? {
        if program == nil { return "there is no nats-server: apt-get install nats-server" }
        let probed = NATSEndpoint.probe()
        return probed.isUsable ? nil : probed.says
    }

    let port: UInt16
    let folder: URL
    private let configuration: String
    private var process: Process?

    /// Starts it. `configuration` is more of its file.
    init(port: UInt16 = freePort(), _ configuration: String = "") throws {
        self.port = port
        self.configuration = configuration
        folder = FileManager.default.temporaryDirectory.appending(path: "mailslots-nats-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try start()
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(at: folder)
    }

    var address: String { "nats://127.0.0.1:\(port)" }
    private var log: URL { folder.appending(path: "log") }

    func start() throws {
        let file = folder.appending(path: "configuration")
        try Data("listen: 127.0.0.1:\(port)\nlog_file: \"\(log.path)\"\n\(configuration)\n".utf8).write(to: file)
        let process = Process()
        process.executableURL = Self.program
        process.arguments = ["--config", file.path]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
        try waitUntil("nats-server answers") { [process, log, port] in
            if !process.isRunning {
                throw Watchdog.Bite(description: "nats-server ended: \((try? String(contentsOf: log, encoding: .utf8)) ?? "no log")")
            }
            return answers(port)
        }
    }

    func stop() { end(SIGTERM) }
    func kill() { end(SIGKILL) }

    private func end(_ signal: Int32) {
        guard let process else { return }
        signalled(process, signal)
        if !process.hasEnded(within: .nanoseconds(Watchdog.nanoseconds)) { process.killWithGroup() }
        self.process = nil
    }

    /// As if it hung, until `resume`.
    func pause() { signalled(process!, SIGSTOP) }
    func resume() { signalled(process!, SIGCONT) }

    /// Servers that are one: what one gets all pass on.
    static func cluster(of count: Int) throws -> [NATSServer] {
        let routes = (0..<count).map { _ in freePort() }
        let others = routes.map { "\"nats://127.0.0.1:\($0)\"" }.joined(separator: ", ")
        return try routes.map { port in
            try NATSServer("cluster { name: test, listen: \"127.0.0.1:\(port)\", routes: [\(others)] }")
        }
    }
}

private func signalled(_ process: Process, _ signal: Int32) { _ = kill(process.processIdentifier, signal) }

/// Asks again until it is so, with a limit for what must not hang.
func waitUntil(_ what: String, _ isSo: () throws -> Bool) throws {
    let start = ContinuousClock.now
    while try !isSo() {
        if ContinuousClock.now - start > .nanoseconds(Watchdog.nanoseconds) { throw Watchdog.Bite(description: "not so: \(what)") }
        Thread.sleep(forTimeInterval: 0.002)
    }
}

func findProgram(_ name: String) -> URL? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init) + ["/usr/sbin", "/sbin"]
    return folders.map { URL(filePath: $0).appending(path: name) }.first { FileManager.default.isExecutableFile(atPath: $0.path) }
}

/// A TCP socket, for what the client does not do.
final class TCPSocket {
    private let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)

    deinit { close(descriptor) }

    private static func onLoopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    private func call(_ port: UInt16, _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32) -> Bool {
        var address = Self.onLoopback(port)
        return unsafe withUnsafeBytes(of: &address) {
            unsafe function(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count)) == 0
        }
    }

    func reach(_ port: UInt16) -> Bool { unsafe call(port, connect) }

    /// A port that the kernel chose.
    func choosePort() -> UInt16? {
        guard unsafe call(0, bind) else { return nil }
        var address = sockaddr_in()
        var byteCount = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutableBytes(of: &address) {
            unsafe getsockname(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &byteCount) == 0
        }
        return isBound ? UInt16(bigEndian: address.sin_port) : nil
    }

    func write(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBytes { unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) == $0.count }
    }

    /// Reads until this text comes. False: the other side ended first.
    func read(until text: String) -> Bool { read { $0.contains(text) }.contains(text) }

    func readLine() -> String { read { $0.contains("\n") } }

    private func read(until isDone: (String) -> Bool) -> String {
        var all: [UInt8] = []
        while !isDone(String(decoding: all, as: UTF8.self)) {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = unsafe bytes.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count <= 0 { break }
            all += bytes.prefix(count)
        }
        return String(decoding: all, as: UTF8.self)
    }
}

/// That nobody has at this moment.
func freePort() -> UInt16 { TCPSocket().choosePort()! }

private func answers(_ port: UInt16) -> Bool { TCPSocket().reach(port) }
