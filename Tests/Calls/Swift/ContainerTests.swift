import Foundation
import TestSupport
import Testing

/// Namespaces as containers have them, made by `Tests/Systems/Containers/run`.
@Suite(.blocking) struct ContainerTests {
    @Test(.disabled(if: isSanitized, "a sanitizer needs another /proc"), .enabled(if: isInstalled("unshare"), "unshare is not installed"))
    func `two containers that share one directory exchange messages`() throws {
        let script = packageRoot.appending(path: "Tests/Systems/Containers/run")
        let result = try run(script, [buildFolder.appending(path: "mailslot").path])
        if result.text.hasPrefix("skipped: ") { try Test.cancel("\(result.text)") }
        #expect(result.status == 0, "\(result.errors)")
    }
}
