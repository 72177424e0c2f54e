import ArgumentParser
import Foundation
import MailslotsKeys
import MailslotsProgram

struct Keygen: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the secret key that the machines of a domain share.",
        discussion: """
            Writes 32 random bytes, as text, into a new file that only you can read, and prints the key's id. Who has the file can read \
            and send every message of the domain: copy it only by ways that keep it secret.

              mailslot keygen studio.key
              scp -p studio.key render7:

            To replace a key without losing messages, make a new one, copy it to every machine, and then on each machine in turn: \
            accept the new one (in the bridge's file, "alsoAccepted"), and reload, kill -HUP; when all do, use the new one and accept \
            the old one, and reload; when all do, accept the old one no more, and reload.
            """)

    @Argument(help: "The file to make. It must not be there.", completion: .file())
    var file = "mailslot.key"

    func run() throws {
        try reportingErrors {
            let key = KeyFile.random()
            let id = BridgeProgram.found?.id(of: key)
            try key.write(toFile: file, id: id)
            try emit("\(file): \(id ?? "made; its id says mailslot bridge --check")")
        }
    }
}
