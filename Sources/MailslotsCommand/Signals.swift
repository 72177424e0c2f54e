import CMailslotsCommand
import Dispatch
import Foundation
import Mailslots
import Synchronization

/// Ends a wait when the user asks the program to stop, so that it closes its mailslot before it goes. A signal that whoever started the
/// program ignores, as nohup does, stays ignored.
struct StopSignals {
    private final class Number: Sendable {
        let value = Atomic<Int32>(0)
    }

    private let number = Number()
    private let sources: [any DispatchSourceSignal]

    /// The signal that came; `nil`: none yet.
    var received: Int32? {
        let value = number.value.load(ordering: .acquiring)
        return value == 0 ? nil : value
    }

    init(interrupting interrupter: MailslotInterrupter) {
        let queue = DispatchQueue(label: "mailslot.signals")
        let number = number
        sources = [SIGINT, SIGTERM, SIGHUP].filter { !command_ignores($0) }.map { which in
            _ = signal(which, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: which, queue: queue)
            source.setEventHandler {
                number.value.store(which, ordering: .releasing)
                interrupter.interrupt()
            }
            source.activate()
            return source
        }
    }
}
