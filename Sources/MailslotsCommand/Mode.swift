import ArgumentParser
import Mailslots

/// Permission bits as chmod takes them, in octal.
struct Mode: ExpressibleByArgument {
    let permissions: Mailslot.Permissions

    init?(argument: String) {
        guard let bits = UInt32(argument, radix: 8) else { return nil }
        permissions = Mailslot.Permissions(rawValue: bits)
    }
}
