import CMailslotsCommand
import Foundation

/// The terminal while a program draws on all of it: keys come one by one, and what was on it comes back at the end.
struct Terminal: ~Copyable {
    enum Event: Equatable {
        case key(Character)
        case resized
        /// What is on the terminal is no longer ours.
        case resumed
        case ended(by: Int32)
        case timeIsUp
    }

    private static let enter = "\u{1b}[?1049h\u{1b}[?25l"  // another screen, no cursor
    private static let leave = "\u{1b}[?25h\u{1b}[?1049l"
    private static let endings = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

    private let signals: Int32
    private let settings: termios?
    private var keysAreOver = false

    /// Whether both the output is a terminal, and it knows commands.
    static var isThere: Bool {
        let kind = ProcessInfo.processInfo.environment["TERM"] ?? ""
        return isatty(STDOUT_FILENO) != 0 && kind != "" && kind != "dumb"
    }

    /// `nil` if there are no descriptors left.
    init?() {
        let numbers = Self.endings + [SIGTSTP, SIGWINCH]
        signals = unsafe command_signals_to_pipe(numbers, Int32(numbers.count))
        if signals < 0 { return nil }
        _ = signal(SIGPIPE, SIG_IGN)  // a terminal that is gone is found out by writing
        var settings = termios()
        self.settings = unsafe tcgetattr(STDIN_FILENO, &settings) == 0 ? settings : nil
        takeOver()
    }

    deinit { giveBack() }

    private func takeOver() {
        if var raw = settings {
            raw.c_lflag &= ~tcflag_t(ICANON | ECHO)
            _ = unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &raw)
        }
        _ = Self.write(Self.enter)
    }

    private func giveBack() {
        _ = Self.write(Self.leave)
        if var settings { _ = unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings) }
    }

    /// Columns and rows.
    var size: (columns: Int, rows: Int) {
        let window = command_window_of(STDOUT_FILENO)
        return (window.columns > 0 ? Int(window.columns) : 80, window.rows > 0 ? Int(window.rows) : 24)
    }

    /// Draws lines from the top of the screen; what does not fit is cut. False: the terminal is gone.
    func draw(_ lines: [String]) -> Bool {
        let size = size
        let cut = lines.prefix(size.rows).map { "\($0.prefix(size.columns))\u{1b}[K" }
        return Self.write("\u{1b}[H" + cut.joined(separator: "\n") + "\u{1b}[J")
    }

    /// Waits until a key or a signal comes, or `deadline`.
    mutating func next(until deadline: ContinuousClock.Instant) -> Event {
        while true {
            let left = (deadline - .now) / .milliseconds(1)
            if left <= 0 { return .timeIsUp }
            var polls = [
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
                pollfd(fd: keysAreOver ? -1 : STDIN_FILENO, events: Int16(POLLIN), revents: 0),
            ]
            if unsafe poll(&polls, 2, Int32(min(left.rounded(.up), 1e6))) < 0 { continue }
            if polls[0].revents != 0, let number = Self.readByte(signals), let event = handle(Int32(number)) { return event }
            if polls[1].revents != 0 {
                guard let byte = Self.readByte(STDIN_FILENO) else {
                    keysAreOver = true
                    continue
                }
                return .key(Character(UnicodeScalar(byte)))
            }
        }
    }

    private func handle(_ number: Int32) -> Event? {
        switch number {
        case SIGWINCH: return .resized
        case SIGTSTP:
            giveBack()
            command_stop_self(number)
            takeOver()
            return .resumed
        default: return .ended(by: number)
        }
    }

    private static func readByte(_ descriptor: Int32) -> UInt8? {
        var byte: UInt8 = 0
        return unsafe read(descriptor, &byte, 1) == 1 ? byte : nil
    }

    private static func write(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Foundation.write(STDOUT_FILENO, $0.baseAddress!, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var room = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&room, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
