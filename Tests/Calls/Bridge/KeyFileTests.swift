import Foundation
import TestProcesses
import TestSupport
import Testing

@testable import MailslotsBridge
@testable import MailslotsWire

/// Key files: what is written can be read, and nothing else is.
@Suite(.blocking) struct KeyFileTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    static let digits = String(repeating: "0123456789abcdef", count: 4)

    func refusal(of text: String, mode: mode_t = 0o600) throws -> BridgeError? {
        let path = try folder.write(text, to: "some.key", mode: mode)
        return bridgeError { _ = try BridgeKey(contentsOfFile: path) }
    }

    @Test func `a key that was written is read again`() throws {
        let key = BridgeKey.random()
        let path = folder.path("studio.key")
        try key.write(toFile: path)
        #expect(try BridgeKey(contentsOfFile: path) == key)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
        #expect(try String(contentsOfFile: path, encoding: .utf8).contains("\(key)"))
    }

    @Test func `random keys differ`() {
        #expect(Set((0..<100).map { _ in BridgeKey.random() }).count == 100)
    }

    @Test func `a description does not tell the key`() {
        let key = BridgeKey.random()
        #expect("\(key)" == "key \(hexadecimal(key.domainKey.id))")
        #expect(!"\(BridgeConfiguration(host: "a", domain: "b", key: key))".contains(hex(key.bytes).prefix(12)))
    }

    @Test func `comments, capitals and the line ends of Windows do no harm`() throws {
        let path = try folder.write("# one\r\n\r\n \(Self.digits.uppercased()) \r\n# two\r\n", to: "some.key", mode: 0o400)
        #expect(try BridgeKey(contentsOfFile: path).bytes == bytes(Self.digits))
    }

    @Test func `a key file is never overwritten`() throws {
        let path = try folder.write("precious", to: "some.key")
        let error = bridgeError { try BridgeKey.random().write(toFile: path) }
        #expect(error?.code == .badKey)
        #expect(error?.description.contains("is there already, and a key is never overwritten") == true)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
        let link = folder.path("link")
        unsafe symlink(folder.path("nowhere"), link)
        #expect(bridgeError { try BridgeKey.random().write(toFile: link) }?.code == .badKey)
        #expect(!FileManager.default.fileExists(atPath: folder.path("nowhere")))
    }

    @Test func `what cannot be written says why, and leaves nothing`() {
        let error = bridgeError { try BridgeKey.random().write(toFile: folder.path("none/some.key")) }
        #expect(error?.description.contains("No such file or directory. Name a file in a directory that you may write.") == true)
        #expect(bridgeError { try BridgeKey.random().write(toFile: "/dev/full") }?.code == .badKey)
        #expect(FileManager.default.fileExists(atPath: "/dev/full"))
    }

    @Test func `of a key that could not be written whole nothing is left`() async {
        await #expect(processExitsWith: .success) {
            endIfItHangs()
            let folder = try TemporaryFolder()
            // No file may be longer than half a key.
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 32, rlim_max: 32)
            let limited = unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            #expect(limited == 0)
            let error = bridgeError { try BridgeKey.random().write(toFile: folder.path("some.key")) }
            let words = error?.description ?? ""
            #expect(words.contains("cannot be written: File too large. Make room"), "\(words)")
            #expect(!FileManager.default.fileExists(atPath: folder.path("some.key")))
        }
    }

    @Test(arguments: [0o640, 0o604, 0o660, 0o666, 0o620, 0o602, 0o601, 0o610, 0o777] as [mode_t])
    func `what others may read or write is no key`(mode: mode_t) throws {
        let error = try #require(try refusal(of: Self.digits, mode: mode))
        #expect(error.code == .badKey)
        #expect(error.description.contains("has mode 0\(String(mode, radix: 8)): others than its owner may read or write it"))
        #expect(error.description.contains("chmod 600 \(folder.path("some.key"))"))
    }

    @Test(.enabled(if: geteuid() == 0, "only root gives files away"))
    func `another user's key is none`() throws {
        let path = try folder.write(Self.digits, to: "some.key")
        unsafe chown(path, 4711, 4711)
        let error = bridgeError { _ = try BridgeKey(contentsOfFile: path) }
        #expect(error?.code == .badKey)
        #expect(error?.description.contains("belongs to user 4711, who can replace it, not to root or user 0") == true)
        #expect(error?.description.contains("chown 0 \(path)") == true)
    }

    @Test(arguments: [
        ("", "has 0 keys, and must have one"),
        ("# only a comment\n", "has 0 keys, and must have one"),
        (digits + "\n" + digits, "has 2 keys, and must have one"),
        (String(digits.dropLast()), "has a key of 63 hexadecimal digits, and a key has 64"),
        (digits + "0", "has a key of 65 hexadecimal digits, and a key has 64"),
        (String(digits.dropLast()) + "g", "is no key file: a key is 64 hexadecimal digits"),
        (String(digits.dropLast()) + "é", "is no key file"),
        (String(repeating: "１", count: 64), "is no key file"),
        (String(repeating: "0", count: 64), "has only zeros, a key that everyone knows"),
    ])
    func `what is no key says so, with a cure`(text: String, says: String) throws {
        let error = try #require(try refusal(of: text))
        #expect(error.code == .badKey)
        #expect(error.description.contains(says), "\(error)")
        #expect(error.description.contains("mailslot keygen"))
    }

    @Test func `what is no file says so at once, with a cure`() throws {
        func says(_ path: String) -> String { bridgeError { _ = try BridgeKey(contentsOfFile: path) }?.description ?? "" }
        #expect(says(folder.path("none")).contains("No such file or directory. Copy it from another host of the domain, or make"))
        #expect(says(folder.url.path).contains("it is not a regular file"))
        unsafe mkfifo(folder.path("fifo"), 0o600)
        #expect(says(folder.path("fifo")).contains("it is not a regular file"))
        #expect(says("/dev/zero").contains("it is not a regular file"))
        let longest = Self.digits + "\n#" + String(repeating: "a", count: 1 << 20 - 66)
        #expect(try BridgeKey(contentsOfFile: folder.write(longest, to: "longest")).bytes == bytes(Self.digits))
        #expect(try says(folder.write(longest + "a", to: "long")).contains("it is longer than 1 MiB"))
        try folder.write(String(repeating: "#\n", count: 600_000), to: "long")
        #expect(says(folder.path("long")).contains("it is longer than 1 MiB"))
    }

    @Test(.enabled(if: geteuid() != 0, "root may read everything"))
    func `what we may not read says so, with a cure`() throws {
        let error = try refusal(of: Self.digits, mode: 0)
        #expect(error?.description.contains("Permission denied. Give it to who uses it: chown") == true)
    }
}
