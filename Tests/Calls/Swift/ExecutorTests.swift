import Foundation
import TestProcesses
import TestSupport
import Testing

@testable import Mailslots

/// Tasks and actors on a thread that sleeps on their mailslots.
@Suite struct ExecutorTests {
    // MARK: where it runs

    @Test func `a task stays on the executor's thread, whatever its mailslot wakes it with`() async throws {
        let executor = MailslotExecutor("stays")
        let name = uniqueName()
        let count = 300
        let reading = Task(executorPreference: executor) {
            var reader = try Mailslot.create(name)
            for index in 0..<count {
                let message = try await reader.read()
                executor.checkIsolated()
                try #require(message?.text == "\(index)")
            }
            #expect(try await reader.read(timeout: .milliseconds(5)) == nil)
            executor.checkIsolated()
            return reader.info.readerSleeps
        }
        var writer = try await Mailslot.open(name, waitingUpTo: .seconds(300))
        for index in 0..<count {
            if index % 3 != 0 { try await Task.sleep(for: .microseconds(index % 3 * 200)) }
            try await writer.write("\(index)")
        }
        #expect(try await reading.value > 0)
    }

    @Test func `a process's messages come in order through a sequence`() async throws {
        let name = uniqueName()
        let count = 3000
        let reading = Task(executorPreference: MailslotExecutor()) {
            var next = 0
            for try await message in try Mailslot.create(name, capacity: 64).messages() {
                try #require(message.text == "\(next)")
                next += 1
                if next == count { break }
            }
        }
        let writer = try startMailslot("write", "--wait", "60", name, input: Data((0..<count).map { "\($0)\n" }.joined().utf8))
        try await reading.value
        #expect(try writer.wait().status == 0)
    }

    @Test func `a task comes back to it from other threads, sleeps, actors and groups of the pool`() async throws {
        actor Elsewhere {
            func answer() -> Int { 42 }
        }
        let executor = MailslotExecutor("comes back")
        try await Task(executorPreference: executor) {
            for _ in 0..<50 {
                executor.checkIsolated()
                await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                    Thread.detachNewThread { unsafe continuation.resume() }
                }
                executor.checkIsolated()
                try await Task.sleep(for: .microseconds(50))
                executor.checkIsolated()
                #expect(await Elsewhere().answer() == 42)
                executor.checkIsolated()
                let sum = await withTaskGroup(of: Int.self) { group in
                    for number in 1...4 {
                        group.addTask(executorPreference: globalConcurrentExecutor) { number }
                    }
                    return await group.reduce(0, +)
                }
                #expect(sum == 10)
                executor.checkIsolated()
                #expect(await Task.detached { 7 }.value == 7)
                executor.checkIsolated()
            }
        }.value
    }

    /// Keeps its executor, reads requests from one mailslot and writes answers to another.
    private actor Server {
        let executor: MailslotExecutor
        nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }
        private(set) var sum = 0

        init(_ executor: MailslotExecutor) { self.executor = executor }

        func serve(_ name: String, answering answers: String, count: Int) async throws {
            var requests = try Mailslot.create(name)
            var writer = try await Mailslot.open(answers, waitingUpTo: .seconds(300))
            for _ in 0..<count {
                guard let number = try await requests.read()?.text, let number = Int(number) else { break }
                executor.checkIsolated()
                sum += number
                try await writer.write("\(sum)")
                executor.checkIsolated()
            }
        }
    }

    @Test(arguments: [true, false]) func `an actor on it reads and writes, called from a task of its executor or of the pool`(
        isPreferred: Bool
    ) async throws {
        let executor = MailslotExecutor("actor")
        let server = Server(executor)
        let name = uniqueName()
        let count = 500
        var answers = try Mailslot.create(name + "/answers")
        let serving = Task(executorPreference: isPreferred ? executor : nil) {
            try await server.serve(name, answering: name + "/answers", count: count)
        }
        var requests = try await Mailslot.open(name, waitingUpTo: .seconds(300))
        var expected = 0
        for number in 0..<count {
            expected += number
            try await requests.write("\(number)")
            #expect(try await answers.read()?.text == "\(expected)")
        }
        try await serving.value
        #expect(await server.sum == expected)
        #expect(executor.isIsolatingCurrentContext() == false)
    }

    /// Names no executor.
    private actor Counter {
        private(set) var count = 0

        func increment() {
            let before = count
            // Long enough that two at once would be seen.
            for _ in 0..<20 { withExtendedLifetime(before) {} }
            count = before + 1
        }
    }

    @Test func `an actor that names no executor is isolated, called from tasks of several`() async throws {
        let counter = Counter()
        let calls = 2000
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<4 {
                group.addTask(executorPreference: MailslotExecutor("caller \(number)")) {
                    for _ in 0..<calls { await counter.increment() }
                }
            }
        }
        #expect(await counter.count == 4 * calls)
    }

    // MARK: order

    @Test func `a server's handlers stay on the executor that serves, whatever they wait for`() async throws {
        actor Elsewhere {
            func pause() async throws { try await Task.sleep(for: .microseconds(50)) }
        }
        let executor = MailslotExecutor("serves")
        let elsewhere = Elsewhere()
        let name = uniqueName()
        let server = try MailslotServer(name)
        let serving = Task(executorPreference: executor) {
            try await server.run { request in
                executor.checkIsolated()
                try await elsewhere.pause()
                executor.checkIsolated()
                return request.message.text
            }
        }
        let caller = try MailslotClient().open(name)
        for number in 0..<50 { #expect(try await caller.call("\(number)").text == "\(number)") }
        server.stop()
        try await serving.value
    }

    @Test func `jobs of higher priority run first, and those of one priority as they came`() async throws {
        let executor = MailslotExecutor("priorities", onStall: nil)
        let order = Locked<[String]>([])
        let isHeld = DispatchSemaphore(value: 0)
        let goesOn = DispatchSemaphore(value: 0)
        let holder = Task(executorPreference: executor) {
            isHeld.signal()
            holdThread(goesOn)
        }
        holdThread(isHeld)
        let priorities: [TaskPriority] = [.background, .medium, .high, .low, .background, .high, .medium, .low]
        let tasks = priorities.enumerated().map { index, priority in
            Task(executorPreference: executor, priority: priority) { order.withLock { $0.append("\(priority.rawValue):\(index)") } }
        }
        goesOn.signal()
        // Awaited from a thread that raises nobody's priority: not before all have run.
        while order.withLock({ $0.count }) < tasks.count { try await Task.sleep(for: .milliseconds(1)) }
        for task in tasks { await task.value }
        await holder.value
        let expected = priorities.enumerated().sorted { ($1.element.rawValue, $0.offset) < ($0.element.rawValue, $1.offset) }
        #expect(order.withLock { $0 } == expected.map { "\($0.element.rawValue):\($0.offset)" })
    }

    @Test func `deadlines wait neither for messages nor for jobs`() async throws {
        let executor = MailslotExecutor("deadlines")
        let name = uniqueName()
        let isOver = Locked(false)
        let flood = try floodedReader(name, executor, until: isOver)
        let busy = Task(executorPreference: executor) { while !isOver.withLock({ $0 }) { await Task.yield() } }
        let ends = try await Task(executorPreference: executor) {
            var reader = try Mailslot.create(name + "/silent")
            let group = MailslotGroup()
            group.add(try Mailslot.create(name + "/silent too"))
            var lateness: [Duration] = []
            for _ in 0..<5 {
                let begun = ContinuousClock.now
                #expect(try await reader.read(timeout: .milliseconds(10)) == nil)
                lateness.append(ContinuousClock.now - begun)
                #expect(try await reader.read(until: .now + .milliseconds(10), clock: .continuous) == nil)
                #expect(try await reader.read(until: .now + .milliseconds(10), clock: .suspending) == nil)
                #expect(try await group.read(timeout: .milliseconds(10)) == nil)
                lateness.append((ContinuousClock.now - begun) / 4)
                executor.checkIsolated()
            }
            return lateness
        }.value
        isOver.withLock { $0 = true }
        await busy.value
        #expect(try await flood.value > 0)
        #expect(ends.allSatisfy { $0 >= .milliseconds(10) })
        // On an idle machine a deadline is late by some microseconds. Half of them in time says that none waits for a message to end it.
        #expect(ends.sorted()[ends.count / 2] < .seconds(2), "\(ends)")
    }

    private func floodedReader(_ name: String, _ executor: MailslotExecutor, until isOver: Locked<Bool>) throws -> Task<Int, any Error> {
        Task(executorPreference: executor) {
            var reader = try Mailslot.create(name)
            let writing = Task.detached {
                var writer = try Mailslot.open(name)
                while !isOver.withLock({ $0 }) { try await writer.write("x") }
                try await writer.write("end")
            }
            var count = 0
            while try await reader.read()?.text != "end" { count += 1 }
            try await writing.value
            return count
        }
    }

    @Test func `an alarm that was cancelled does not ring, and those of two clocks ring in time`() {
        let now = (ContinuousClock.now, SuspendingClock.now)
        let rung = Locked<[Int]>([])
        var alarms = Alarms()
        #expect(Alarms.Time(HandClock().now, of: HandClock()) == nil)
        var ids: [Alarms.ID] = []
        for index in 0..<64 {
            let offset = Duration.milliseconds(index * 37 % 64 - 64)
            let time = index % 2 == 0 ? Alarms.Time.continuous(now.0 + offset) : .suspending(now.1 + offset)
            ids.append(alarms.add(time) { rung.withLock { $0.append(index * 37 % 64) } })
        }
        let late = alarms.add(.continuous(now.0 + .seconds(3600))) {}
        for index in stride(from: 0, to: 64, by: 3) { alarms.cancel(ids[index]) }
        while let ring = alarms.popDue() { ring() }
        let remaining = (0..<64).filter { $0 % 3 != 0 }
        let expected = [remaining.filter { $0 % 2 == 0 }, remaining.filter { $0 % 2 == 1 }].flatMap { $0.map { $0 * 37 % 64 }.sorted() }
        #expect(rung.withLock { $0 } == expected)
        let timeLeft = alarms.timeLeft
        #expect(timeLeft.map { $0 > .seconds(3500) && $0 <= .seconds(3600) } == true)
        alarms.cancel(late)
        alarms.cancel(late)
        #expect(alarms.timeLeft == nil)
    }

    // MARK: ends of waits

    @Test func `a cancelled task's wait ends, and its message stays`() async throws {
        let executor = MailslotExecutor("cancelled")
        let name = uniqueName()
        let reading = Task(executorPreference: executor) {
            var reader = try Mailslot.create(name)
            await #expect { _ = try await reader.read() } throws: { ($0 as? MailslotError)?.code == .cancelled }
            executor.checkIsolated()
            return await Task.detached { [box = Moved(reader)] in
                var reader = box.take()
                return try? await reader.read()?.text
            }.value
        }
        var writer = try await Mailslot.open(name, waitingUpTo: .seconds(300))
        try await eventually("the reader sleeps") { try Mailslot.info(of: name).readerSleeps > 0 }
        reading.cancel()
        try await writer.write("stays")
        #expect(try await reading.value == "stays")
    }

    @Test func `an interrupt ends a wait, and a full mailslot's writer goes on when there is room`() async throws {
        let executor = MailslotExecutor("room")
        let name = uniqueName()
        var reader = try Mailslot.create(name, capacity: 4)
        let writing = Task(executorPreference: executor) {
            var writer = try Mailslot.open(name)
            let interrupter = writer.interrupter
            for index in 0..<2000 { try await writer.write("\(index)") }
            while writer.info.messageCount > 0 { await Task.yield() }
            while try writer.tryWrite("more") == .written {}
            Task.detached { interrupter.interrupt() }
            await #expect { try await writer.write("never") } throws: { ($0 as? MailslotError)?.code == .interrupted }
            executor.checkIsolated()
        }
        for index in 0..<2000 { #expect(try await reader.read()?.text == "\(index)") }
        try await writing.value
        #expect(try Mailslot.info(of: name).messageCount == 4)
    }

    @Test(arguments: [20, 140]) func `a group's messages come to it, also those of more mailslots than the kernel sleeps on at once`(
        count: Int
    ) async throws {
        let executor = MailslotExecutor("group")
        let name = uniqueName()
        let rounds = 3
        let reading = Task(executorPreference: executor) {
            let group = MailslotGroup()
            for index in 0..<count { group.add(try Mailslot.create("\(name)/\(index)", capacity: 16, maximumWriters: 2)) }
            var seen = Set<String>()
            while seen.count < count * rounds {
                guard let delivery = try await group.read(timeout: .seconds(300)) else { break }
                executor.checkIsolated()
                seen.insert("\(delivery.member.name) \(delivery.message.text)")
            }
            return seen.count
        }
        var writers: [Moved<MailslotWriter>] = []
        for index in 0..<count {
            writers.append(Moved(try await Mailslot.open("\(name)/\(index)", waitingUpTo: .seconds(300))))
        }
        for round in 0..<rounds {
            for index in writers.indices {
                var writer = writers[index].take()
                try await writer.write("\(round)")
                writers[index] = Moved(writer)
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(try await reading.value == count * rounds)
    }

    @Test func `a group that waits on one executor may be read and dropped on another, while both are busy`() async throws {
        let executors = [MailslotExecutor("one"), MailslotExecutor("other")]
        let name = uniqueName()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for side in 0...1 {
                tasks.addTask {
                    for round in 0..<40 {
                        let group = try await Task(executorPreference: executors[side]) {
                            let group = MailslotGroup()
                            for index in 0..<5 { group.add(try Mailslot.create("\(name)/\(side)/\(round)/\(index)", capacity: 4)) }
                            let delivery = try await group.read(timeout: .microseconds(200))
                            #expect(delivery == nil)
                            return Moved(group)
                        }.value
                        // Its waits are still the first executor's. Ending them does not wait for its jobs.
                        try await Task(executorPreference: executors[1 - side]) {
                            let group = group.take()
                            let delivery = try await group.read(timeout: .microseconds(200))
                            #expect(delivery == nil)
                        }.value
                    }
                }
            }
            try await tasks.waitForAll()
        }
    }

    // MARK: the end

    @Test func `a shutdown ends what waits with an error, runs what is enqueued, and ends the thread`() async throws {
        let executor = MailslotExecutor("shut down")
        let name = uniqueName()
        let errors = Locked<[MailslotError]>([])
        let waiting = (0..<140).map { index in
            Task(executorPreference: executor) {
                var reader = try Mailslot.create("\(name)/\(index)", capacity: 4, maximumWriters: 2)
                do throws(any Error) {
                    _ = index % 2 == 0 ? try await reader.read() : try await reader.read(until: .now + .seconds(3600), clock: .continuous)
                } catch let error as MailslotError {
                    errors.withLock { $0.append(error) }
                }
                executor.checkIsolated()
                await Task.yield()
                return index
            }
        }
        for index in waiting.indices {
            try await eventually("it sleeps") { ((try? Mailslot.info(of: "\(name)/\(index)").readerSleeps) ?? 0) > 0 }
        }
        #expect(!executor.isShutDown)
        await executor.shutdown()
        #expect(executor.isShutDown)
        for (index, task) in waiting.enumerated() { #expect(try await task.value == index) }
        let all = errors.withLock { $0 }
        #expect(all.count == waiting.count)
        #expect(all.allSatisfy { $0.code == .executorShutDown && $0.description.contains("shut down") && $0.description.contains("End") })
        #expect(MailslotError.Code.executorShutDown.description == "the task's executor was shut down")
        await executor.shutdown()
    }

    @Test func `after a shutdown jobs still run, in isolation, but nothing waits there`() async throws {
        let executor = MailslotExecutor("late")
        let server = Server(executor)
        await executor.shutdown()
        #expect(await server.sum == 0)
        let name = uniqueName()
        await #expect { try await server.serve(name, answering: name, count: 1) } throws: {
            ($0 as? MailslotError)?.code == .executorShutDown
        }
        let counter = Locked(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<100 {
                group.addTask(executorPreference: executor) {
                    executor.checkIsolated()
                    let before = counter.withLock { $0 }
                    counter.withLock { $0 = before + 1 }
                }
            }
        }
        #expect(counter.withLock { $0 } == 100)
    }

    @Test func `a task of the executor may shut it down, and goes on`() async throws {
        let executor = MailslotExecutor("itself")
        let isOn = await Task(executorPreference: executor) {
            await executor.shutdown()
            return executor.isIsolatingCurrentContext() == true
        }.value
        #expect(isOn)
    }

    @Test func `an executor that nobody holds ends, and its tasks hold it`() async throws {
        for _ in 0..<50 {
            let name = uniqueName()
            weak var gone: MailslotExecutor?
            let reading: Task<String?, any Error>
            do {
                let executor = MailslotExecutor("dropped")
                gone = executor
                reading = Task(executorPreference: executor) {
                    var reader = try Mailslot.create(name, capacity: 4, maximumWriters: 2)
                    return try await reader.read()?.text
                }
            }
            var writer = try await Mailslot.open(name, waitingUpTo: .seconds(300))
            #expect(gone != nil)
            try await writer.write("held")
            #expect(try await reading.value == "held")
        }
        while threads(named: "dropped") > 0 { try await Task.sleep(for: .milliseconds(1)) }
    }

    @Test func `many executors answer one another`() async throws {
        let name = uniqueName()
        let pairs = 6
        let trips = 400
        try await withThrowingTaskGroup(of: Int.self) { group in
            for pair in 0..<pairs {
                for side in 0...1 {
                    group.addTask(executorPreference: MailslotExecutor("ring \(pair)/\(side)")) {
                        var reader = try Mailslot.create("\(name)/\(pair)/\(side)", capacity: 4)
                        var writer = try await Mailslot.open("\(name)/\(pair)/\(1 - side)", waitingUpTo: .seconds(300))
                        if side == 0 { try await writer.write("0") }
                        var last = 0
                        while last < trips, let number = try await reader.read()?.text, let number = Int(number) {
                            last = number + 1
                            if number < trips { try await writer.write("\(last)") }
                        }
                        return last
                    }
                }
            }
            for try await last in group { #expect(last >= trips) }
        }
    }

    // MARK: stalls

    @Test func `a call that blocks it is reported before it blocks, and a long job afterwards`() async throws {
        let stalls = Locked<[MailslotExecutor.Stall]>([])
        let executor = MailslotExecutor("stalled") { stall in stalls.withLock { $0.append(stall) } }
        let name = uniqueName()
        let blocked = Task(executorPreference: executor) { try blockingRead(try Mailslot.create(name)) }
        while stalls.withLock({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(1)) }
        #expect(stalls.withLock { $0[0].cause } == .blockingCall)
        #expect(stalls.withLock { $0[0].description.contains("\"stalled\"") && $0[0].description.contains("await") })
        var writer = try Mailslot.open(name)
        try await writer.write("late")
        #expect(try await blocked.value == "late")

        await Task(executorPreference: executor) { _ = usleep(120_000) }.value
        let last = try #require(stalls.withLock { $0.last })
        guard case .longJob(let duration) = last.cause else { Issue.record("\(last)"); return }
        #expect(duration >= .milliseconds(100))
        #expect(last.executor == "stalled" && last.description.contains("120") || duration > .milliseconds(121))

        // What it is for is no stall.
        let before = stalls.withLock { $0.count }
        try await Task(executorPreference: executor) {
            var reader = try Mailslot.create(name + "/silent")
            #expect(try await reader.read(timeout: .milliseconds(150)) == nil)
        }.value
        #expect(stalls.withLock { $0.count } == before)
    }
}

/// Blocks its thread, which `await` would not, until a message comes.
private func blockingRead(_ reader: consuming MailslotReader) throws -> String? { try reader.read(timeout: .seconds(300))?.text }

/// Blocks its thread.
private func holdThread(_ semaphore: DispatchSemaphore) { semaphore.wait() }

private func threads(named name: String) -> Int {
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return tasks.count { (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8)) == name + "\n" }
}
