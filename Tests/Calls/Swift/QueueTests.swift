import TestRandomness
import Testing

@testable import Mailslots

@Suite struct QueueTests {
    @Test func `a queue gives back what it was given, in order, however it grows and shrinks`() {
        var generator = SeededGenerator.forTest("a queue")
        var queue = Queue<Int>()
        var (given, taken) = (0, 0)
        for round in 0..<400 {
            for _ in 0..<Int.random(in: 0...200, using: &generator) {
                queue.append(given)
                given += 1
            }
            // Each tenth round leaves nothing.
            let most = round % 10 == 9 ? queue.count : Int.random(in: 0...200, using: &generator)
            for _ in 0..<min(most, queue.count) {
                #expect(queue.first == taken)
                #expect(queue.popFirst() == taken)
                taken += 1
            }
            #expect(queue.count == given - taken)
            #expect(queue.isEmpty == (given == taken))
        }
        queue.append(given)
        queue.removeAll()
        #expect(queue.isEmpty && queue.first == nil && queue.popFirst() == nil)
    }
}
