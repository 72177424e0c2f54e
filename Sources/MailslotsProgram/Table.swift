internal import Foundation
internal import Mailslots

/// Rows with their columns aligned: to the left, or where `rightAligned` says so to the right.
package func table(_ head: [String]?, _ rows: [[String]], rightAligned: [Bool] = []) -> String {
    tableLines((head.map { [$0] } ?? []) + rows, rightAligned: rightAligned).joined(separator: "\n")
}

package func tableLines(_ rows: [[String]], rightAligned: [Bool] = []) -> [String] {
    let widths = rows.reduce(into: [Int]()) { widths, row in
        for (column, text) in row.enumerated() {
            if column == widths.count { widths.append(0) }
            widths[column] = max(widths[column], text.count)
        }
    }
    return rows.map { row in
        row.enumerated().map { column, text in
            let padding = String(repeating: " ", count: widths[column] - text.count)
            if column < rightAligned.count && rightAligned[column] { return padding + text }
            return column == row.count - 1 ? text : text + padding
        }.joined(separator: "  ")
    }
}

private let userNames = Locked<[UInt32: String]>([:])

/// The name of a user, or the number if there is none.
package func userName(_ id: UInt32) -> String {
    userNames.withLock { names in
        if let name = names[id] { return name }
        // Sound: only this thread asks, and the name is copied at once.
        let name = unsafe getpwuid(id).map { unsafe String(cString: $0.pointee.pw_name) } ?? "\(id)"
        names[id] = name
        return name
    }
}
