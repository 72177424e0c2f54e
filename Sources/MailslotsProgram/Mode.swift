import ArgumentParser
package import Mailslots

/// Permission bits as chmod takes them, in octal.
package struct Mode: ExpressibleByArgument {
    package let permissions: Mailslot.Permissions

    package init?(argument: String) {
        guard let bits = UInt32(argument, radix: 8) else { return nil }
        permissions = Mailslot.Permissions(rawValue: bits)
    }
}
