import CMailslotsCommand
import CMailslotsDatagram
import Foundation
import Mailslots
import MailslotsProgram

/// What `doctor` looks at.
struct Examination {
    let cleans: Bool

    func findings() -> [Finding] {
        guard let directory = Self.directory else {
            return [
                .failure("directory", "MAILSLOT_DIRECTORY names no directory", cure: "Name an absolute path that exists, or unset it.")
            ]
        }
        let place = place(directory)
        if place.contains(where: { $0.status == .failure }) { return place }
        return place + space(directory) + kernel(directory) + bridge() + [hook(), removal(directory)] + limits() + leftovers(directory)
    }

    /// Where the mailslots are.
    private static var directory: String? {
        (try? Mailslot.path(of: "doctor")).map { URL(filePath: $0).deletingLastPathComponent().path }
    }

    private func text(_ error: Int32) -> String { unsafe String(cString: strerror(error)) }

    private func size(_ bytes: UInt64) -> String {
        bytes < 10 << 20 ? "\(bytes >> 10) kB" : bytes < 10 << 30 ? "\(bytes >> 20) MB" : "\(bytes >> 30) GB"
    }

    // MARK: the directory

    private func place(_ directory: String) -> [Finding] {
        let check = "directory"
        var status = stat()
        guard unsafe stat(directory, &status) == 0 else {
            return [.failure(check, "\(directory): \(text(errno))", cure: "Make it, or let MAILSLOT_DIRECTORY name another.")]
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            return [.failure(check, "\(directory) is no directory", cure: "Let MAILSLOT_DIRECTORY name one.")]
        }
        let mode = String(status.st_mode & 0o7777, radix: 8)
        guard unsafe access(directory, W_OK | X_OK) == 0 else {
            let error = errno  // what follows has an errno of its own
            return [
                .failure(
                    check, "\(directory), mode \(mode), user \(userName(status.st_uid)): you may not make files there: \(text(error))",
                    cure: "Let MAILSLOT_DIRECTORY name a directory of your own, the same for readers and writers.")
            ]
        }
        let isSticky = status.st_mode & S_ISVTX != 0
        if status.st_mode & 0o022 != 0 && !isSticky {
            return [
                .warning(
                    check, "\(directory) has mode \(mode): others may remove your mailslots and put theirs in their place",
                    cure: "chmod +t \(directory)")
            ]
        }
        if status.st_uid != 0 && status.st_uid != geteuid() {
            return [
                .warning(
                    check, "\(directory) belongs to user \(userName(status.st_uid)), who may remove your mailslots",
                    cure: "Use a directory of your own or of root, unless you trust that user.")
            ]
        }
        return [.ok(check, "\(directory), mode \(mode)")]
    }

    private func space(_ directory: String) -> [Finding] {
        let space = unsafe command_space_of(directory)
        if space.error != 0 {
            return [.failure("space", "\(directory): \(text(space.error))", cure: "See that it is mounted.")]
        }
        let larger = "Enlarge it: mount -o remount,size=1G \(directory); docker run --shm-size=1g; an emptyDir with medium: Memory."
        var findings: [Finding] = []
        if space.is_read_only {
            findings.append(.failure("file system", "\(directory) is mounted read-only", cure: "Mount it writable."))
        } else if space.is_remote {
            findings.append(
                .failure(
                    "file system", "\(directory) is on a network: its pages are not shared memory between machines, nor its locks sure",
                    cure: "Use a tmpfs of this machine."))
        } else if !space.is_memory {
            findings.append(
                .warning(
                    "file system", "\(directory) is on a disk: the kernel writes messages to it, and writers wait for it now and then",
                    cure: "Use a tmpfs, such as /dev/shm."))
        } else {
            findings.append(.ok("file system", "\(directory) is memory"))
        }
        let fit = space.free_bytes / command_default_bytes()
        let says = "\(size(space.free_bytes)) of \(size(space.bytes)) free: \(fit) mailslots of the default capacity"
        if fit == 0 {
            findings.append(.failure("space", says, cure: "\(larger) Or create with a smaller capacity."))
        } else if fit < 16 {
            findings.append(.warning("space", says, cure: "\(larger) Or create with a smaller capacity."))
        } else {
            findings.append(.ok("space", says))
        }
        if space.files > 0 && space.free_files < 1000 {
            findings.append(
                .warning("files", "only \(space.free_files) more files fit", cure: "mount -o remount,nr_inodes=1M \(directory)"))
        }
        return findings
    }

    // MARK: the kernel

    private func kernel(_ directory: String) -> [Finding] {
        let locks = unsafe command_try_locks(directory)
        let unnamed = unsafe command_try_unnamed_file(directory)
        let waitv = command_try_futex_waitv()
        let list = command_try_robust_list()
        return [
            lockFinding(locks, directory),
            unnamed == 0
                ? .ok("unnamed files", "a killed creator leaves nothing behind")
                : .warning(
                    "unnamed files", "not there: \(text(unnamed)); a creator that is killed may leave a file",
                    cure: "Mount /proc; use a tmpfs. Or run mailslot doctor --clean now and then."),
            waitv == 0
                ? .ok("futex_waitv", "a wait can be interrupted, and be on many mailslots, at once")
                : .warning(
                    "futex_waitv",
                    "not there: \(text(waitv)); interrupts take up to a second, waiting on many mailslots polls each millisecond",
                    cure: "Linux 5.16 or newer; in a container a newer runtime, whose seccomp profile allows it."),
            list == 0
                ? .ok("robust list", "threads have one")
                : .warning(
                    "robust list",
                    "not there: \(text(list)); a sleeping reader hears of a killed writer's last message up to a second late",
                    cure: "A kernel, not an emulator; a seccomp profile that allows get_robust_list."),
        ]
    }

    private func lockFinding(_ result: Int32, _ directory: String) -> Finding {
        let check = "locks"
        if result == 0 { return .ok(check, "files can be locked, and a mapping keeps the lock, so it is known who is alive") }
        if result == Int32(COMMAND_LOCK_NOT_MAPPED) {
            return .failure(
                check, "\(directory): a file's lock goes when it is closed, though it is mapped, so it is not known who is alive",
                cure: "This is an overlay, such as the root of a container. Let MAILSLOT_DIRECTORY name a tmpfs, or a volume.")
        }
        return .failure(
            check, "files cannot be locked there: \(text(result))", cure: "Use a file system of this machine; Linux 3.15 or newer.")
    }

    // MARK: the bridge

    private func bridge() -> [Finding] {
        let engines = Finding.ok(
            "datagram engine",
            DatagramEngine.ioURing.isUsable
                ? "a bridge can use mmsg, and \(DatagramEngine.ioURing.says)"
                : "a bridge can use mmsg, but not io_uring: \(DatagramEngine.ioURing.says)")
        let nats = Finding.ok("NATS", NATSClient.isUsable ? "a bridge can go through NATS, by \(NATSClient.says)" : NATSClient.says)
        return [engines, nats] + bridgeThatRuns()
    }

    private func bridgeThatRuns() -> [Finding] {
        let check = "bridge"
        guard let requests = runningBridge() else {
            return [.ok(check, "none runs here, so names of other machines cannot be opened: mailslot bridge --help")]
        }
        let says = "process \(requests.readerProcessID) of user \(userName(requests.readerUserID))"
        // What a bridge asks for by default; without privileges it gets at most the system's maximum.
        let wanted = Int(mslot_datagram_bind_options_default().receive_buffer_bytes)
        let most = (try? String(contentsOfFile: "/proc/sys/net/core/rmem_max", encoding: .utf8)).flatMap {
            Int($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        guard let most, most < wanted else { return [.ok(check, says)] }
        return [
            .warning(
                check, "\(says); the kernel gives its socket \(size(UInt64(most))) for what arrives in a burst, and drops the rest",
                cure: "sysctl -w net.core.rmem_max=\(wanted), and start the bridge anew.")
        ]
    }

    /// Kills a writer between publishing and waking, while the reader sleeps: the kernel has to wake it. Two of three times decide: on a
    /// busy machine the writer may be held up before it is killed.
    private func hook() -> Finding {
        let check = "death of a writer"
        do {
            var woken = 0
            var late = 0
            while woken < 2 && late < 2 {
                if try isWokenByDeath() { woken += 1 } else { late += 1 }
            }
            if late < woken { return .ok(check, "killed between publishing and waking; the kernel woke the reader") }
            return .warning(
                check, "the kernel did not wake the reader of a killed writer's message",
                cure: "Linux 5.5 or newer, no emulator. Without it nothing is lost; a wake may be a second late.")
        } catch {
            return .failure(check, "a mailslot could not be tried: \(error)", cure: "See the findings above, and try again.")
        }
    }

    private func isWokenByDeath() throws -> Bool {
        let name = "doctor/\(getpid())"
        var reader = try Mailslot.create(name, capacity: 8, maximumWriters: 2)
        let victim = try Part.start("die", name, "\(getpid())")
        let message = try reader.read(timeout: .seconds(15))
        victim.wait()
        if message == nil { throw DemoError("the process that was to be killed wrote nothing") }
        return reader.info.lateWakes == 0
    }

    // MARK: the system

    private func removal(_ directory: String) -> Finding {
        let check = "RemoveIPC"
        if !directory.hasPrefix("/dev/shm") { return .ok(check, "concerns only /dev/shm") }
        if !FileManager.default.fileExists(atPath: "/run/systemd/seats") { return .ok(check, "no systemd-logind runs here") }
        if geteuid() < 1000 { return .ok(check, "system users keep their files when they log out") }
        if !removesIPC(root: "/") { return .ok(check, "off: files stay when their user logs out") }
        let user = userName(geteuid())
        if FileManager.default.fileExists(atPath: "/var/lib/systemd/linger/\(user)") {
            return .ok(check, "on, but user \(user) lingers")
        }
        return .warning(
            check, "on: systemd removes the mailslots of user \(user) from /dev/shm when that user has logged out everywhere",
            cure: "loginctl enable-linger \(user); or RemoveIPC=no in /etc/systemd/logind.conf; or run as a system user.")
    }

    private func limits() -> [Finding] {
        var findings: [Finding] = []
        var limit = rlimit()
        if unsafe getrlimit(__rlimit_resource_t(UInt32(RLIMIT_FSIZE.rawValue)), &limit) == 0, limit.rlim_cur < command_default_bytes() {
            findings.append(
                .failure("file size", "limited to \(size(UInt64(limit.rlim_cur)))", cure: "ulimit -f unlimited; or a smaller capacity.")
            )
        }
        if unsafe getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0, limit.rlim_cur < 64 {
            findings.append(
                .warning("descriptors", "limited to \(limit.rlim_cur); opening needs some for a moment", cure: "ulimit -n 1024"))
        }
        if let text = try? String(contentsOfFile: "/proc/sys/vm/max_map_count", encoding: .utf8),
            let maps = Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
        {
            let says = "a process may have \(maps) mappings: one for each mailslot that it has open"
            findings.append(
                maps >= 10_000 ? .ok("mappings", says) : .warning("mappings", says, cure: "sysctl -w vm.max_map_count=65530"))
        }
        let processors = ProcessInfo.processInfo.activeProcessorCount
        findings.append(
            processors > 1
                ? .ok("processors", "\(processors) allowed")
                : .warning(
                    "processors", "one: a round trip costs two sleeps, some 10 µs, in place of half a microsecond",
                    cure: "Allow more, if latency matters: taskset, cpuset, docker run --cpuset-cpus."))
        return findings
    }

    // MARK: what was left behind

    private func leftovers(_ directory: String) -> [Finding] {
        do {
            return try mailslots() + files(directory)
        } catch {
            return [.failure("mailslots", "\(error)", cure: "See that you may read \(directory).")]
        }
    }

    private func mailslots() throws -> [Finding] {
        let look = try Look()
        let infos = look.infos
        let gone = infos.filter { !$0.hasReader && $0.writerCount == 0 }
        // Names that the library chose are taken over by nobody.
        var left = gone.map(\.name).filter(Mailslot.isOwnName)
        let dead = gone.filter { !left.contains($0.name) }
        let unread = dead.filter { $0.messageCount > 0 }
        var empty = dead.filter { $0.messageCount == 0 }.map(\.name)
        var findings = [
            Finding.ok("mailslots", "\(infos.count), of which \(infos.count - infos.count { !$0.hasReader }) have a reader")
        ]
        if cleans {
            let removed = (left + empty).filter { (try? Mailslot.remove($0)) != nil }
            left.removeAll { removed.contains($0) }
            empty.removeAll { removed.contains($0) }
            if !removed.isEmpty { findings.append(.ok("cleaned", "removed \(some(removed))")) }
        }
        if !left.isEmpty {
            findings.append(
                .warning(
                    "killed clients", "\(some(left)): answers to clients and calls to nodes that were killed, which nobody will read",
                    cure: "mailslot doctor --clean; the next server or node of the same user takes them away anyway."))
        }
        if !empty.isEmpty {
            findings.append(
                .warning(
                    "stale names", "\(some(empty)): reader and writers ended without closing, and nothing is unread",
                    cure: "mailslot doctor --clean; the next reader of the name takes it over anyway."))
        }
        if !unread.isEmpty {
            let count = unread.reduce(0) { $0 + $1.messageCount }
            findings.append(
                .warning(
                    "unread messages", "\(count) in \(some(unread.map(\.name))), whose readers have ended",
                    cure: "mailslot read --adopt NAME to have them, mailslot remove NAME to discard them."))
        }
        if let leftOut = look.leftOut {
            findings.append(
                .warning("skipped", leftOut, cure: "See which program of its owner has the file open (lsof). The others are as they were."))
        }
        let readable = infos.filter { ($0.permissions.rawValue & 0o444) >> 1 != $0.permissions.rawValue & 0o222 }.map(\.name)
        if !readable.isEmpty {
            findings.append(
                .warning(
                    "modes", "\(some(readable)): users who may read but not write can hold them up by locks",
                    cure: "chmod 0600, 0660 or 0666 the file (mailslot info NAME), and create it so."))
        }
        let damaged = infos.filter { !$0.isSound }.map(\.name)
        if !damaged.isEmpty {
            findings.append(
                .failure(
                    "damage", "\(some(damaged)): the ring is destroyed", cure: "End the reader and start it anew, without --adopt."))
        }
        return findings
    }

    /// Files beside the mailslots that begin as theirs do.
    private func files(_ directory: String) throws -> [Finding] {
        let known = Set(try Mailslot.names().compactMap { try? URL(filePath: Mailslot.path(of: $0)).lastPathComponent })
        let others = try FileManager.default.contentsOfDirectory(atPath: directory)
            .filter { $0.hasPrefix("mailslot.") && !known.contains($0) }.sorted()
        var half = others.filter { isOfKilledCreator("\(directory)/\($0)") }
        var findings: [Finding] = []
        if cleans {
            let removed = half.filter { unsafe unlink("\(directory)/\($0)") == 0 }
            half.removeAll { removed.contains($0) }
            if !removed.isEmpty { findings.append(.ok("cleaned", "removed \(some(removed))")) }
        }
        if !half.isEmpty {
            findings.append(.warning("unfinished files", "\(some(half)): their creators were killed", cure: "mailslot doctor --clean"))
        }
        let strange = others.filter { unsafe !$0.contains("~") && access("\(directory)/\($0)", R_OK) == 0 }
            .filter { FileManager.default.fileExists(atPath: "\(directory)/\($0)") }
        if !strange.isEmpty {
            findings.append(
                .warning(
                    "other files", "\(some(strange)): no mailslots, or of another layout version",
                    cure: "See what they are. Programs that share mailslots need one layout version of Mailslots."))
        }
        return findings
    }

    /// A temporary name is `mailslot.NAME~PID.TIME`; its creator locks it at once and removes it within a moment.
    private func isOfKilledCreator(_ path: String) -> Bool {
        var status = stat()
        guard path.wholeMatch(of: /.*~[0-9a-f]+\.[0-9a-f]+/) != nil, unsafe lstat(path, &status) == 0,
            status.st_mode & S_IFMT == S_IFREG
        else {
            return false
        }
        let age = Date().timeIntervalSince1970 - Double(status.st_ctim.tv_sec)
        return unsafe age > 60 && command_is_locked(path) == 0
    }

    /// The first names, in quotes, and how many more there are.
    private func some(_ names: [String]) -> String {
        let shown = names.prefix(3).map { "\"\(printable($0))\"" }.joined(separator: ", ")
        return names.count > 3 ? "\(shown) and \(names.count - 3) more" : shown
    }
}

/// Whether systemd-logind removes the files of users who have logged out: the last word in its configuration, where yes is the default.
func removesIPC(root: String) -> Bool {
    var files = ["etc/systemd/logind.conf"]
    // "Files in /etc/ override files with the same name in /run/ and /usr/lib/", and all are taken in the order of their names.
    var parts: [String: String] = [:]
    for folder in ["usr/lib/systemd/logind.conf.d", "run/systemd/logind.conf.d", "etc/systemd/logind.conf.d"] {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: root + "/" + folder)) ?? [] where name.hasSuffix(".conf") {
            parts[name] = folder + "/" + name
        }
    }
    files += parts.sorted { $0.key < $1.key }.map(\.value)
    let settings = files.compactMap { try? String(contentsOfFile: root + "/" + $0, encoding: .utf8) }
        .flatMap { $0.matches(of: /(?m)^\s*RemoveIPC\s*=\s*(\S+)/).map { String($0.1).lowercased() } }
    return settings.last.map { ["1", "yes", "y", "true", "t", "on"].contains($0) } ?? true
}
