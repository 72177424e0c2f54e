import Foundation
import Testing

/// The version is one number: that of `version.h`.
@Suite struct VersionTests {
    /// Major, minor and patch, as the preprocessor's lines have them.
    static func inTheHeader() throws -> String {
        let header = try text("Sources/CMailslots/include/mailslots/version.h")
        let numbers = header.matches(of: /(?m)^#define MSLOT_VERSION_(MAJOR|MINOR|PATCH) (\d+)$/)
        try #require(numbers.map { $0.1 } == ["MAJOR", "MINOR", "PATCH"])
        return numbers.map { $0.2 }.joined(separator: ".")
    }

    static func text(_ path: String) throws -> String {
        try String(contentsOf: packageRoot.appending(path: path), encoding: .utf8)
    }

    @Test func `the program says the header's version`() throws {
        #expect(try mailslot("--version").text == "\(Self.inTheHeader())\n")
    }

    @Test(arguments: ["README.md", "Sources/Mailslots/Mailslots.docc/GettingStarted.md"])
    func `a package manifest in the documentation asks for the header's version`(page: String) throws {
        let versions = try Self.text(page).matches(of: /Mailslots\.git", from: "([^"]*)"/).map { String($0.1) }
        #expect(try versions == [Self.inTheHeader()])
    }

    @Test func `the documentation of versions names the header's`() throws {
        let version = try Self.inTheHeader()
        #expect(try Self.text("Sources/Mailslots/Mailslots.docc/Upgrading.md").contains("`\(version)`; `mslot_version`"))
        let notes = try Self.text("Sources/Mailslots/Mailslots.docc/ReleaseNotes.md")
        #expect(notes.firstMatch(of: /(?m)^## (\d+\.\d+\.\d+)$/).map { String($0.1) } == version)
    }

    /// The scripts link them by numbers of their own, which are one.
    @Test func `one ABI number is in the soname and in the version scripts`() throws {
        let install = try Self.text("Sources/CMailslots/install.sh")
        let number = try #require(install.firstMatch(of: /(?m)^abi=(\d+)$/)).1
        #expect(try Self.text("Sources/CMailslots/libmailslots.map").contains("\nMAILSLOTS_\(number) {"))
        #expect(try Self.text("Sources/CMailslotsWin32/libmailslots-win32.map").contains("\nMAILSLOTS_WIN32_\(number) {"))
        for page in ["Upgrading", "SegmentLayout", "OtherLanguages"] {
            #expect(try Self.text("Sources/Mailslots/Mailslots.docc/\(page).md").contains("`libmailslots.so.\(number)`"))
        }
    }
}
