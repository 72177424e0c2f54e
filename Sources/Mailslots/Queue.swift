/// First in, first out, each in constant time on average.
struct Queue<Element> {
    /// Room that is kept when the queue is empty. Chosen: a burst that is longer gives its memory back.
    private static var keptCapacity: Int { 64 }

    private var elements: [Element] = []
    /// Those before have been taken.
    private var taken = 0

    var count: Int { elements.count - taken }
    var isEmpty: Bool { taken == elements.count }
    /// The next to be taken.
    var first: Element? { isEmpty ? nil : elements[taken] }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard let element = first else { return nil }
        taken += 1
        if isEmpty { removeAll() } else if taken * 2 > elements.count { forgetTaken() }
        return element
    }

    mutating func removeAll() {
        elements.removeAll(keepingCapacity: elements.count <= Self.keptCapacity)
        taken = 0
    }

    private mutating func forgetTaken() {
        elements.removeFirst(taken)
        taken = 0
    }
}
