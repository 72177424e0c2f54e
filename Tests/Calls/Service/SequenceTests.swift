import AsyncAlgorithms
import Foundation
import Mailslots
import Testing

/// The algorithms of swift-async-algorithms that start tasks of their own, and so ask for sequences and iterators that are Sendable.
@Suite struct SequenceTests {
    static func pair(_ what: String) throws -> (MailslotSharedReader, MailslotSharedWriter) {
        let name = "sequences/\(UUID().uuidString)/\(what)"
        return (MailslotSharedReader(try Mailslot.create(name)), MailslotSharedWriter(try Mailslot.open(name)))
    }

    @Test func `two mailslots merge, and end when both are closed`() async throws {
        let (first, toFirst) = try Self.pair("first")
        let (second, toSecond) = try Self.pair("second")
        for index in 0..<50 {
            try await toFirst.write("\(2 * index)")
            try await toSecond.write("\(2 * index + 1)")
        }
        var numbers: [Int] = []
        for try await message in merge(first.messages(), second.messages()) {
            numbers.append(try #require(Int(message.text)))
            if numbers.count == 100 {
                await first.close()
                await second.close()
            }
        }
        #expect(numbers.sorted() == Array(0..<100))
        #expect(numbers.filter { $0 % 2 == 0 } == stride(from: 0, to: 100, by: 2).map { $0 })
    }

    @Test func `messages come in chunks, and debounced`() async throws {
        let (reader, writer) = try Self.pair("chunks")
        for index in 0..<10 { try await writer.write("\(index)") }
        var chunks: [[String]] = []
        for try await chunk in reader.messages().chunks(ofCount: 4) {
            chunks.append(chunk.map(\.text))
            if chunks.count == 2 { await reader.close() }
        }
        #expect(chunks.prefix(2) == [["0", "1", "2", "3"], ["4", "5", "6", "7"]])

        let (bursts, toBursts) = try Self.pair("bursts")
        for index in 0..<10 { try await toBursts.write("\(index)") }
        var debounced = bursts.messages().debounce(for: .milliseconds(200)).makeAsyncIterator()
        #expect(try await debounced.next()?.text == "9")
    }

    @Test func `a group merges with a clock's ticks`() async throws {
        let group = MailslotGroup()
        let name = "sequences/\(UUID().uuidString)"
        group.add(try Mailslot.create(name))
        try await MailslotSharedWriter(try Mailslot.open(name)).write("hello")
        let ticks = AsyncTimerSequence(interval: .milliseconds(5), clock: .continuous).map { _ in String?.none }
        var seen = (texts: 0, ticks: 0)
        for try await text in merge(group.map { Optional($0.message.text) }, ticks) {
            if text == "hello" { seen.texts += 1 } else { seen.ticks += 1 }
            if seen.texts == 1, seen.ticks >= 2 { break }
        }
        #expect(seen.texts == 1)
    }
}
