import Foundation

/// A file that goes through two processes: `mailslot write` and `mailslot read`, or `cat` and `cat`.
struct Pipeline {
    let bytes: Int
    private let folder: URL
    private let program: URL

    enum Failure: Error, CustomStringConvertible {
        case noProgram(String)
        case ended(String, status: Int32)

        var description: String {
            switch self {
            case .noProgram(let path): "There is no program \(path). It is built together with this one: `swift build -c release`."
            case .ended(let what, let status): "\(what): ended with status \(status)."
            }
        }
    }

    /// Makes the file, of random bytes, in memory: a disk would be what is measured.
    init(bytes: Int) throws {
        self.bytes = bytes
        program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(path: "mailslot")
        guard access(program.path, X_OK) == 0 else { throw Failure.noProgram(program.path) }
        folder = URL(filePath: "/dev/shm/bench.pipe.\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        _ = try seconds("the file", "head -c \(bytes) /dev/urandom > original")
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    /// Bytes a second, from before the first of the two processes starts until both have ended.
    func throughMailslot() throws -> Double {
        Double(bytes)
            / (try seconds(
                "mailslot write | mailslot read",
                """
                "$0" read --raw --until-empty bench.pipe.$$ > /dev/null &
                "$0" write --raw --end --wait 10 bench.pipe.$$ < original && wait $!
                """))
    }

    func throughCat() throws -> Double { Double(bytes) / (try seconds("cat | cat", "cat original | cat > /dev/null")) }

    private func seconds(_ what: String, _ script: String) throws -> Double {
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/sh")
        shell.arguments = ["-c", script, program.path]
        shell.currentDirectoryURL = folder
        let clock = ContinuousClock()
        let start = clock.now
        try shell.run()
        shell.waitUntilExit()
        let took = clock.now - start
        guard shell.terminationStatus == 0 else { throw Failure.ended(what, status: shell.terminationStatus) }
        return Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18
    }
}
