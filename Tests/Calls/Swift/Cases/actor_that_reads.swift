// An actor that holds both ends, awaits them, and answers other calls meanwhile.
import Mailslots

actor Orders {
    var reader: MailslotSharedReader
    var writers: [String: MailslotSharedWriter] = [:]
    private(set) var count = 0

    init(_ reader: consuming MailslotReader) { self.reader = MailslotSharedReader(reader) }

    func run() async throws {
        while let message = try await reader.read(), message.text != "quit" {
            count += 1
            try await writers["confirmations"]?.write(message)
        }
    }

    func confirm(to name: String) throws { writers["confirmations"] = MailslotSharedWriter(try Mailslot.open(name)) }
}

@main struct Main {
    static func main() async throws {
        let confirmations = MailslotSharedReader(try Mailslot.create("confirmations"))
        let orders = Orders(try Mailslot.create("orders"))
        try await orders.confirm(to: "confirmations")
        async let running: Void = orders.run()
        let out = MailslotSharedWriter(try Mailslot.open("orders"))
        try await out.write("tea")
        guard let confirmed = try await confirmations.read(timeout: .seconds(10)) else { return }
        print("\(confirmed.text) \(await orders.count)")
        try await out.write("quit")
        try await running
    }
}
