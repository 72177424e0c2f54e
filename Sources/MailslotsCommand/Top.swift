import ArgumentParser
import Foundation
import Mailslots
import MailslotsProgram

struct Top: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the mailslots and how busy they are, again and again.",
        discussion: """
            Keys: q ends; a column's key, shown in brackets, sorts by it, and pressed again backwards; space looks at once.
            Where the output is no terminal, prints one table and ends.
            """)

    @Option(help: ArgumentHelp("How long between two looks.", valueName: "seconds"))
    var interval = Seconds(argument: "1")!

    @Option(help: "The column to sort by.")
    var sort = Column.writes

    func validate() throws {
        if interval.timeout.duration.map({ $0 < .milliseconds(50) }) ?? false { throw ValidationError("--interval is at least 0.05.") }
    }

    func run() throws {
        try reportingErrors {
            let first = try Look()
            let pause = interval.timeout.duration ?? .seconds(1)
            guard Terminal.isThere else {
                Thread.sleep(forTimeInterval: pause / .seconds(1))
                let look = try Look(after: first)
                if let leftOut = look.leftOut { complain(leftOut) }
                try emit(tableLines(rows(look, sort, backwards: false), rightAligned: Column.allCases.map(\.isNumber)))
                return
            }
            if let end = try show(first, pause) { throw end }
        }
    }

    /// Returns the exit status, `nil` for success. The terminal is given back before.
    private func show(_ first: Look, _ pause: Duration) throws -> ExitCode? {
        guard var terminal = Terminal() else { throw ExitStatus.failure }
        var look = first
        var column = sort
        var backwards = false
        while true {
            if !terminal.draw(lines(look, column, backwards)) { return nil }
            let due = look.time + pause
            switch terminal.next(until: due) {
            case .timeIsUp, .key(" "): look = try Look(after: look)
            case .key("q"): return nil
            case .key(let key):
                guard let chosen = Column.allCases.first(where: { $0.key == key }) else { continue }
                backwards = chosen == column && !backwards
                column = chosen
            case .resized, .resumed: continue
            case .ended(let number): return ExitCode(128 + number)
            }
        }
    }

    private func rows(_ look: Look, _ column: Column, backwards: Bool) -> [[String]] {
        let infos = column.sort(look, backwards: backwards)
        return [Column.allCases.map(\.title)] + infos.map { info in Column.allCases.map { $0.text(info, look.rates(of: info)) } }
    }

    private func lines(_ look: Look, _ column: Column, _ backwards: Bool) -> [String] {
        let sum = { (value: (MailslotInfo) -> Int) in look.infos.reduce(0) { $0 + value($1) } }
        let rates = look.infos.compactMap { look.rates(of: $0) }
        let total = String(
            format: "%d mailslots, %d waiting, %.0f written/s, %.0f read/s, %d without a reader", look.infos.count, sum(\.messageCount),
            rates.reduce(0) { $0 + $1.written }, rates.reduce(0) { $0 + $1.read }, sum { $0.hasReader ? 0 : 1 })
        let leftOut = look.skipped.isEmpty ? "" : ", \(look.skipped.count) left out"
        let keys = Column.allCases.map { "[\($0.key)] \($0 == column ? "*" : "")\($0.rawValue)" }.joined(separator: " ")
        let table = tableLines(rows(look, column, backwards: backwards), rightAligned: Column.allCases.map(\.isNumber))
        return [total + leftOut, "[q] quit; sort by \(keys)"] + table
    }
}
