import CMailslotsCommand
import Dispatch
import Foundation
import Mailslots
import MailslotsProgram
import Synchronization

/// Ends a wait when the user asks the program to stop, so that it closes its mailslot before it goes. A signal that whoever started the
/// program ignores, as nohup does, stays ignored.
///
/// Signals are heard from the beginning, before there is a mailslot: one that comes earlier than the wait that it is to end is not lost.
struct StopSignals: ~Copyable {
    private final class Number: Sendable {
        let value = Atomic<Int32>(0)
    }

    private let number = Number()
    /// A byte for each signal, its number. A signal source of Dispatch would have the signal ignored, and one that is pending then is gone.
    private let pipe: Int32
    private var source: (any DispatchSourceRead)?

    /// The signal that came; `nil`: none yet.
    var received: Int32? {
        let value = number.value.load(ordering: .acquiring)
        return value == 0 ? nil : value
    }

    init() throws {
        let numbers = [SIGINT, SIGTERM, SIGHUP]
        pipe = unsafe command_signals_to_pipe(numbers, Int32(numbers.count))
        if pipe < 0 {
            complain("signals cannot be heard: \(unsafe String(cString: strerror(errno)))")
            throw ExitStatus.failure
        }
    }

    /// From now on they end its waits, and so does one that has come already.
    mutating func interrupt(_ interrupter: MailslotInterrupter) {
        let source = DispatchSource.makeReadSource(fileDescriptor: pipe, queue: DispatchQueue(label: "mailslot.signals"))
        source.setEventHandler { [number, pipe] in
            var byte: UInt8 = 0
            guard unsafe read(pipe, &byte, 1) == 1 else { return }
            number.value.store(Int32(byte), ordering: .releasing)
            interrupter.interrupt()
        }
        source.activate()
        self.source = source
    }
}
