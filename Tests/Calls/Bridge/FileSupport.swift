import Foundation

@testable import MailslotsBridge

/// A folder of a test's own, removed with it.
final class TemporaryFolder {
    let url = URL(filePath: NSTemporaryDirectory()).appending(path: "mailslots-bridge-\(UUID().uuidString)").resolvingSymlinksInPath()

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appending(path: name).path }

    @discardableResult
    func write(_ text: String, to name: String, mode: mode_t = 0o600) throws -> String {
        try text.write(toFile: path(name), atomically: false, encoding: .utf8)
        unsafe chmod(path(name), mode)
        return path(name)
    }
}

/// The error that `body` throws.
func bridgeError(_ body: () throws -> Void) -> BridgeError? {
    do {
        try body()
        return nil
    } catch {
        return error as? BridgeError
    }
}
