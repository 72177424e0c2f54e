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
        #expect(throws: MailslotValueError(expectedSize: 16, size: size)) { try reader.read(timeout: .now) }
        #expect(try reader.read(timeout: .now) == Order(id: .max, price: -1))
    }
}
