import Foundation
import Testing

@testable import Mailslots

/// Values of a type of fixed layout.
@Suite struct ValueTests {
    struct Order: MailslotValue, Equatable {
        var id: UInt64
        var price: Int64
    }
    struct Block: MailslotValue {
        var bytes = InlineArray<425, UInt8>(repeating: 7)
    }

    @Test func `values come as they were written`() throws {
        let name = uniqueName()
        var reader = try MailslotValueReader<Order>(try Mailslot.create(name, maximumMessageSize: 16))
        var writer = try MailslotValueWriter<Order>(try Mailslot.open(name))
        let order = Order(id: .max, price: -5)
        #expect(try writer.tryWrite(order) == .written)
        try writer.write(Order(id: 1, price: 2))
        #expect(try reader.read() == order)
        #expect(try reader.read() == Order(id: 1, price: 2))
        #expect(try reader.read(timeout: .milliseconds(1)) == nil)
        #expect(reader.info.messagesWritten == 2)
    }

    @Test func `a type that does not fit is refused at the beginning, at both ends`() throws {
        let name = uniqueName()
        #expect(errorOf { _ = try MailslotValueReader<Block>(try Mailslot.create(name)) }?.code == .tooLong)
        let reader = try Mailslot.create(name, maximumMessageSize: 15)
        #expect(errorOf { _ = try MailslotValueWriter<Order>(try Mailslot.open(name)) }?.code == .tooLong)
        #expect(reader.info.messageCount == 0)
        reader.close()
        let large = try MailslotValueReader<Block>(try Mailslot.create(name, maximumMessageSize: 425))
        var writer = try MailslotValueWriter<Block>(try Mailslot.open(name))
        try writer.write(Block())
        #expect(large.info.nextMessageSize == 425)
    }

    @Test(arguments: [0, 8, 15, 17, 424])
    func `a message of another size is an error and never a value, and the next is read`(size: Int) throws {
        let name = uniqueName()
        var reader = try MailslotValueReader<Order>(try Mailslot.create(name))
        var writer = try Mailslot.open(name)
        try writer.write([UInt8](repeating: 0xff, count: size))
        try writer.write([UInt8](repeating: 0xff, count: 16))
        let error = errorOf { _ = try reader.read(timeout: .now) }
        #expect(error?.code == .wrongSize)
        #expect(error?.description.contains("has \(size) bytes") == true)
        #expect(try reader.read(timeout: .now) == Order(id: .max, price: -1))
    }

    @Test func `a thread's reader tells position and sender, is interrupted, and closes`() throws {
        let name = uniqueName()
        var reader = try MailslotValueReader<Order>(try Mailslot.create(name))
        var writer = try MailslotValueWriter<Order>(try Mailslot.open(name))
        for id: UInt64 in 1...3 { try writer.write(Order(id: id, price: 0)) }
        let first = try #require(try reader.readMessage())
        #expect(first.value.id == 1 && first.info.senderProcessID == getpid() && !first.info.origin.isRemote)
        let second = try #require(try reader.readMessage())
        #expect(second.info.position == first.info.position + 1)
        #expect(try reader.tryRead()?.id == 3)
        #expect(try reader.tryRead() == nil)
        reader.interrupter.interrupt()
        #expect(errorOf { _ = try reader.read(timeout: .forever) }?.code == .interrupted)
        try writer.write(Order(id: 4, price: 0))
        let unread = reader.close(unread: .keep)
        #expect(unread == 1)
        let next = try MailslotValueReader<Order>(try Mailslot.create(name, unread: .adopt))
        #expect(next.info.messageCount == 1)
        writer.close()
    }

    @Test func `tasks write and read values, in loops and groups, too`() async throws {
        let name = uniqueName()
        let reader = MailslotSharedReader(try Mailslot.create(name, capacity: 2))
        let writer = MailslotSharedWriter(try Mailslot.open(name))
        try await writer.write(Order(id: 1, price: 10))
        #expect(try writer.tryWrite(Order(id: 2, price: 20)) == .written)
        #expect(try await writer.write(Order(id: 3, price: 30), timeout: .milliseconds(2)) == .full)
        #expect(try await reader.read(as: Order.self)?.value == Order(id: 1, price: 10))
        for try await order in reader.messages(as: Order.self) {
            #expect(order.value.id == 2 && order.info.senderProcessID == getpid())
            break
        }
        try await writer.write("no order")
        #expect(await codeOf { _ = try await reader.read(as: Order.self) } == .wrongSize)
        #expect(try await reader.read(as: Order.self, timeout: .milliseconds(1)) == nil)

        let other = uniqueName()
        let messages = try MailslotValueReader<Order>(try Mailslot.create(other)).messages()
        try await MailslotSharedWriter(try Mailslot.open(other)).write(Order(id: 7, price: 0))
        #expect(try await messages.makeAsyncIterator().next()?.value.id == 7)
        await messages.reader.close()
        #expect(try await messages.makeAsyncIterator().next() == nil)

        let group = MailslotGroup()
        let member = group.add(try MailslotValueReader<Order>(try Mailslot.create(other)))
        try await MailslotSharedWriter(try Mailslot.open(other)).write(Order(id: 8, price: 0))
        let delivery = try #require(try await group.read(timeout: .seconds(600)))
        #expect(delivery.member == member)
        #expect(try delivery.message.value(as: Order.self).id == 8)
        #expect(errorOf { _ = try delivery.message.value(as: UInt8.self) }?.code == .wrongSize)
    }

    // MARK: types that are no values

    struct Padded: MailslotValue { var a: UInt8 = 0, b: UInt32 = 0 }
    struct WithPaddedElements: MailslotValue { var items: InlineArray<2, Inner> }
    struct Inner: BitwiseCopyable, Sendable { var a: UInt32 = 0, b: UInt8 = 0 }
    struct WithBool: MailslotValue { var isOn = true }
    enum Side: UInt8, MailslotValue { case buy = 1, sell = 2 }
    struct WithEnumeration: MailslotValue { var sides: (UInt8, Side) = (0, .buy) }
    struct WithOptional: MailslotValue { var id: UInt8? = nil }
    @unsafe struct WithPointer: MailslotValue, @unchecked Sendable { var pointer: UnsafeRawPointer }
    struct WithVector: MailslotValue { var vector = SIMD3<Float>() }
    struct WithIdentifier: MailslotValue { var identifier: ObjectIdentifier }

    static let refused: [(any MailslotValue.Type, String)] = [
        (Padded.self, "it has 3 bytes of padding"),
        (WithPaddedElements.self, "items has 3 bytes of padding"),
        (WithBool.self, "isOn is a Bool"),
        (Side.self, "it is an enumeration"),
        (WithEnumeration.self, ".1 is an enumeration"),
        (WithOptional.self, "id is an optional"),
        (unsafe WithPointer.self, "pointer is a UnsafeRawPointer"),
        (WithVector.self, "vector has 4 bytes of padding"),
        (WithIdentifier.self, " is a "),
    ]

    @Test func `a type with padding, or of which not every pattern of bits is a value, is found, with its place`() {
        for (type, words) in Self.refused {
            #expect(problem(of: type, "it")?.contains(words) == true, "\(type): \(problem(of: type, "it") ?? "")")
        }

    }

    struct Everything: MailslotValue {
        var wide: UInt128 = 0
        var numbers: (Int64, Double) = (0, 0)
        var vector = SIMD4<Float>()
        var duration = Duration.zero
        var nested = Nested()
        var bytes = InlineArray<6, UInt8>(repeating: 0)
        var half: Float16 = 0
    }
    struct Nested: BitwiseCopyable, Sendable { var a: Int32 = 0, b: Int16 = 0, c: UInt8 = 0, d: UInt8 = 0 }
    struct Nothing: MailslotValue {}

    @Test func `numbers, vectors and what is made of them without padding are values`() {
        for type in [Everything.self, Nothing.self, Order.self, Block.self, UInt8.self, Double.self] as [any MailslotValue.Type] {
            #expect(problem(of: type, "it") == nil, "\(type)")
        }
    }

    @Test func `the first use of such a type ends the program, with cause and cure`() async {
        let name = uniqueName()
        let uses = ["reader", "writer", "shared writer", "shared reader", "message"]
        for use in uses {
            let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                [name = name as String, use = use as String] in
                let shared = MailslotSharedReader(try Mailslot.create(name))
                let writer = MailslotSharedWriter(try Mailslot.open(name))
                try await writer.write([0, 0, 0, 0, 0, 0, 0, 0])
                switch use {
                case "reader": _ = try MailslotValueReader<Padded>(try Mailslot.create(name + "/2"))
                case "writer": _ = try MailslotValueWriter<Padded>(try Mailslot.open(name))
                case "shared writer": try await writer.write(Padded())
                case "shared reader": _ = try await shared.read(as: Padded.self)
                default: _ = try await shared.read()?.value(as: Padded.self)
                }
            }
            let words = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
            #expect(words.contains("Padded cannot be a MailslotValue: it has 3 bytes of padding"), "\(use): \(words)")
        }
    }
}
