// Mailslots whose names the library chooses, and that no program opens by itself: those for a client's answers, and those of nodes of
// distributed actors that have no name of their own. Nobody takes such a name over, so what a killed process leaves stays until somebody
// takes it away: a server, a node, or `mailslot doctor --clean`.

extension Mailslot {
    /// The name of a client's mailslot for answers: `answers/1234-2a`.
    static func nameForAnswers(processID: UInt32, number: UInt32) -> String { "answers/\(processID)-\(String(number, radix: 16))" }

    /// The folder of all nodes.
    package static let nodeFolder = "actors/"

    /// With what the names of nodes begin that were given none, behind the folder. A program's own node cannot be called so.
    package static let beginningOfOwnNodes = "~"

    /// A name for a node that was given none, such as `actors/~0k3v9p1xq2m7a`: always of 13 digits of base 36.
    package static func nameForNode(_ number: UInt64 = .random(in: 0...UInt64.max)) -> String {
        let digits = String(number, radix: 36)
        return nodeFolder + beginningOfOwnNodes + String(repeating: "0", count: 13 - digits.count) + digits
    }

    /// Whether the library chose this name. One that is only like it, such as `answers/01-2A`, is a user's.
    package static func isOwnName(_ name: String) -> Bool {
        let beginning = nodeFolder + beginningOfOwnNodes
        if name.hasPrefix(beginning) {
            guard let number = UInt64(name.dropFirst(beginning.count), radix: 36) else { return false }
            return name == nameForNode(number)
        }
        let numbers = name.dropFirst("answers/".count).split(separator: "-")
        guard numbers.count == 2, let processID = UInt32(numbers[0]), let number = UInt32(numbers[1], radix: 16) else { return false }
        return name == nameForAnswers(processID: processID, number: number)
    }

    /// Takes those away whose processes were killed. Looks at every mailslot there is: for a server or a node that begins.
    package static func removeOwnOfTheDead() {
        let names = (try? Mailslot.names()) ?? []
        // Refused where there is a reader, and where they are another user's.
        for name in names where isOwnName(name) { try? Mailslot.remove(name) }
    }
}
