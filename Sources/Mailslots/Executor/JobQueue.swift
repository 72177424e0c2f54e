/// Jobs that are ready to run: those of higher priority first, and of one priority first come first served.
struct JobQueue {
    /// The jobs of one priority.
    private struct Line {
        let priority: UInt8
        var jobs = Queue<UnownedJob>()
    }

    /// The highest priority first. A program uses a handful of them.
    private var lines: [Line] = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ job: UnownedJob, priority: UInt8) {
        let index = lines.firstIndex { $0.priority <= priority } ?? lines.endIndex
        if index == lines.endIndex || lines[index].priority != priority { lines.insert(Line(priority: priority), at: index) }
        lines[index].jobs.append(job)
        count += 1
    }

    mutating func popFirst() -> UnownedJob? {
        guard let index = lines.firstIndex(where: { !$0.jobs.isEmpty }) else { return nil }
        count -= 1
        return lines[index].jobs.popFirst()
    }
}
