import ArgumentParser
import Foundation
import Mailslots
import MailslotsProgram

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Find out whether this machine offers what mailslots need, and what was left behind.",
        discussion: """
            Each line says ok, warning or failure, and below it the cure. Makes a mailslot of its own for a moment, and kills a process \
            that writes to it. Ends with status 1 if there is a failure.
            """)

    @Flag(help: "Remove what is provably dead: mailslots without reader, writers and unread messages, and files of killed creators.")
    var clean = false

    @Flag(help: "Print a line of JSON for each finding.")
    var json = false

    func run() throws {
        // Who removes a mailslot maps it, to tell its writers; and it may be anybody's.
        try reportingErrors { try Mailslot.guardAgainstTruncation() }
        let findings = Examination(cleans: clean).findings()
        if json {
            try emit(findings.map { jsonText($0) })
        } else {
            let lines = tableLines(findings.map { [$0.status.rawValue, $0.check, $0.says] })
            try emit(zip(lines, findings).flatMap { line, finding in [line] + (finding.cure.map { ["         \($0)"] } ?? []) })
        }
        if findings.contains(where: { $0.status == .failure }) { throw ExitStatus.failure }
    }
}

struct Finding: Encodable {
    enum Status: String, Encodable { case ok, warning, failure }

    let check: String
    let status: Status
    /// What was found, and what comes of it.
    let says: String
    let cure: String?

    static func ok(_ check: String, _ says: String) -> Finding { Finding(check: check, status: .ok, says: says, cure: nil) }
    static func warning(_ check: String, _ says: String, cure: String) -> Finding {
        Finding(check: check, status: .warning, says: says, cure: cure)
    }
    static func failure(_ check: String, _ says: String, cure: String) -> Finding {
        Finding(check: check, status: .failure, says: says, cure: cure)
    }
}
