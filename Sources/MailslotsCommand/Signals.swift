#if Bridge
    import Dispatch
    import Foundation
    import Mailslots

    /// Ends a wait when the user asks the program to stop, so that it closes its mailslot before it goes.
    final class StopSignals: Sendable {
        // Sound: set once by the queue that handles the signals, read after the wait that it interrupted.
        nonisolated(unsafe) private(set) var received: Int32?
        nonisolated(unsafe) private var sources: [any DispatchSourceSignal] = []

        init(interrupting interrupter: MailslotInterrupter) {
            let queue = DispatchQueue(label: "mailslot.signals")
            for number in [SIGINT, SIGTERM, SIGHUP] {
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
                source.setEventHandler { [self] in
                    unsafe received = number
                    interrupter.interrupt()
                }
                source.activate()
                unsafe sources.append(source)
            }
        }
    }
#endif
