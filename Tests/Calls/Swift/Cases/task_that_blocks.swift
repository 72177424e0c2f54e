// Not to compile: a task that would block its thread.
import Mailslots

func wait(_ reader: consuming MailslotReader, _ writer: consuming MailslotWriter) async throws {
    var reader = reader
    var writer = writer
    _ = try reader.read()
    _ = try reader.withMessage { bytes, _ in bytes.byteCount }
    _ = try reader.withMessages(atMost: 2) { _, _ in }
    try writer.write("x")
    try writer.write(contentsOf: ["x"])
    try writer.write(capacity: 1) { $0.append(UInt8(1)) }
}
