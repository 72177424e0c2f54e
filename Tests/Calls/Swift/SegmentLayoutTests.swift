import Foundation
import TestSupport
import Testing

/// The page `SegmentLayout.md` says what lies in a segment, byte by byte. Its tables become a C program, which compares them with the
/// structures, with the functions that make cells, and with mailslots that it makes.
@Suite(.blocking) struct SegmentLayoutTests {
    static let page = Page(
        (try? String(contentsOf: packageRoot.appending(path: "Sources/Mailslots/Mailslots.docc/SegmentLayout.md"), encoding: .utf8)) ?? "")

    /// The structures, by the headings of their tables.
    static let structures = [
        "Header: mslot_header", "Control: mslot_control", "Lane counters: mslot_lane_counters", "Lane: mslot_lane", "Cell: mslot_cell",
        "Slot: mslot_slot",
    ]

    @Test(arguments: structures) func `a structure's fields follow each other without a gap`(heading: String) throws {
        let rows = Self.page.rows(heading)
        try #require(rows.count >= 3)
        var end = 0
        for row in rows {
            #expect(Int(row[0]) == end, "\(row)")
            end += try #require(Int(row[1]))
        }
    }

    @Test(.disabled(if: isSanitized, "it is built without a sanitizer"))
    func `the tables are what the C structures are, and what is in a mailslot`() throws {
        let folder = try temporaryFolder("layout")
        defer { try? FileManager.default.removeItem(at: folder) }
        let sources = packageRoot.appending(path: "Sources/CMailslots").path
        try program().write(to: folder.appending(path: "layout.c"), atomically: true, encoding: .utf8)

        let build = try run(
            "sh", ["-c", "${CC:-clang} -std=c11 -O1 -D_GNU_SOURCE -I\(sources)/include layout.c \(sources)/*/*.c -o layout -pthread"],
            folder: folder)
        try #require(build.status == 0, "\(build.errors)")
        let result = try run(folder.appending(path: "layout"), [], environment: ["MAILSLOT_DIRECTORY": folder.path])
        #expect(result.status == 0 && result.signal == nil, "\(result.errors)")
        #expect(result.text == "\(Self.page.rows("A new mailslot").count + Self.page.rows("An example").count) words compared\n")
    }

    // MARK: the program

    func program() throws -> String {
        """
        #include <mailslots/ring.h>
        #include <mailslots.h>
        #include <fcntl.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/stat.h>
        #include <unistd.h>

        static void expect(bool condition, const char *what)
        {
            if (condition) return;
            fprintf(stderr, "not so: %s\\n", what);
            exit(1);
        }
        static uint64_t line(uint64_t bytes) { return (bytes + 63) / 64 * 64; }
        static uint64_t page(uint64_t bytes) { return (bytes + 4095) / 4096 * 4096; }
        static uint64_t max(uint64_t a, uint64_t b) { return a > b ? a : b; }
        static uint64_t bits(uint64_t value, unsigned high, unsigned low)
        {
            unsigned width = high - low + 1;
            return (value & (width == 64 ? ~0ULL : (1ULL << width) - 1)) << low;
        }
        \(try Self.structures.map(structure).joined(separator: "\n"))
        \(try cells())
        \(parts())
        \(fixture)
        \(words("new_words", "A new mailslot"))
        \(words("example_words", "An example"))
        \(try main())
        """
    }

    /// Offsets and sizes, checked while it is compiled.
    func structure(_ heading: String) throws -> String {
        let name = try #require(heading.split(separator: " ").last)
        let rows = Self.page.rows(heading)
        let size = rows.reduce(0) { $0 + (Int($1[1]) ?? 0) }
        let fields = rows.map { row in
            let field = row[2].trimmingCharacters(in: ["`"])
            return """
                _Static_assert(offsetof(\(name), \(field)) == \(row[0]), "offset of \(name).\(field)");
                _Static_assert(sizeof ((\(name) *)0)->\(field) == \(row[1]), "size of \(name).\(field)");
                """
        }
        return (fields + ["_Static_assert(sizeof(\(name)) == \(size), \"size of \(name)\");"]).joined(separator: "\n")
    }

    /// EMPTY, FULL, CLOSED and the label as the tables of bits have them.
    func cells() throws -> String {
        let states = try ["EMPTY", "FULL", "CLOSED"].enumerated().map { column, name in
            "static uint64_t \(name)(uint64_t lap, uint64_t index, uint64_t here) { return \(try word("State of a cell", column + 1)); }"
        }
        let label = "static uint64_t LABEL(uint64_t lap, uint64_t length, uint64_t origin, uint64_t sender)"
        return (states + ["\(label) { return \(try word("Label of a cell", 1)); }"]).joined(separator: "\n")
    }

    /// What a column of a table of bits adds up to.
    private func word(_ heading: String, _ column: Int) throws -> String {
        try Self.page.rows(heading).map { row in
            let ends = row[0].split(separator: "-")
            try #require(ends.count == 2)
            return "bits(\(row[column].trimmingCharacters(in: ["`"])), \(ends[0]), \(ends[1]))"
        }.joined(separator: " | ")
    }

    /// Where the parts are, as the table computes it, and as the library does.
    func parts() -> String {
        let rows = Self.page.rows("The parts").map { $0.map { $0.trimmingCharacters(in: ["`"]) } }
        let variables = rows.map { "uint64_t \(identifier($0[0])) = \($0[1]);" }
        // The overflow begins at a page, and is not there if no message needs it.
        let follow = zip(rows, rows.dropFirst()).filter { $1[0] != "overflow" }.map { part, next in
            "expect(\(identifier(part[0])) + (\(part[2])) == \(identifier(next[0])), \"\(next[0]) follows\");"
        }
        let named = rows.filter { !$0[3].isEmpty }.map { row in
            let place = row[0] == "overflow" ? "(M > 424 ? overflow : 0)" : identifier(row[0])
            return "expect(written.\(row[3]) == \(place), \"\(row[3])\");"
        }
        return """
            static void check_parts(uint64_t N, uint64_t W, uint64_t M)
            {
                mslot_header written;
                memset(&written, 0, sizeof written);
                expect(mslot__layout_header(&written, (uint32_t)N, (uint32_t)W, (uint32_t)M) != 0, "a layout");
                \((variables + follow + named).joined(separator: "\n    "))
                (void)end;
            }
            """
    }

    private func identifier(_ part: String) -> String { part.replacing(" ", with: "_") }

    /// A mailslot, looked at through its file.
    var fixture: String {
        """
        static uint64_t N, W;
        static unsigned char *segment;
        static size_t segment_bytes;
        static int descriptor;
        static mslot_control *control;
        static mslot_lane *lanes;
        static mslot_cell *cells;
        static uint64_t *consumed;
        static mslot_slot *slots;
        static mslot_reader *reader;
        static unsigned words_compared;

        static void make(const char *name, uint64_t cell_count, uint64_t lane_count)
        {
            N = cell_count;
            W = lane_count;
            mslot_create_options options = mslot_create_options_default();
            options.capacity = (uint32_t)N;
            options.writers = (uint32_t)W;
            reader = mslot_create(name, &options).reader;
            expect(reader != NULL, "a mailslot is made");
            char path[4096];
            expect(mslot_path(name, path, sizeof path).outcome == MSLOT_DONE, "it has a path");
            descriptor = open(path, O_RDWR);
            struct stat status;
            expect(descriptor >= 0 && fstat(descriptor, &status) == 0, "it has a file");
            segment_bytes = (size_t)status.st_size;
            segment = mmap(NULL, segment_bytes, PROT_READ, MAP_SHARED, descriptor, 0);
            expect(segment != MAP_FAILED, "it can be mapped");
            const mslot_header *header = (const void *)segment;
            expect(segment_bytes == header->segment_bytes, "the file is as long as the header says");
            control = (void *)(segment + header->control_offset);
            lanes = (void *)(segment + header->lanes_offset);
            cells = (void *)(segment + header->cells_offset);
            consumed = (void *)(segment + header->consumed_offset);
            slots = (void *)(segment + header->slots_offset);
        }

        static bool is_locked(uint64_t byte)
        {
            struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
            expect(fcntl(descriptor, F_OFD_GETLK, &lock) == 0, "the lock can be asked for");
            return lock.l_type != F_UNLCK;
        }

        static void erase(unsigned char *copy, const void *word, size_t bytes)
        {
            memset(copy + ((const unsigned char *)word - segment), 0, bytes);
        }
        """
    }

    /// A function that compares each word of a table with its values, and erases it in a copy.
    func words(_ function: String, _ heading: String) -> String {
        let checks = Self.page.rows(heading).map { row in
            let word = row[0].trimmingCharacters(in: ["`"]).replacing("control.", with: "control->")
            let values = row[1].matches(of: /`([^`]+)`/).map { String($0.1) }
            let count = word.hasPrefix("lanes[i]") ? "W" : word.contains("[i]") ? "N" : "1"
            let comparisons = values.map { "expect(\(word) == (\($0)), \"\(heading): \(row[0]) is \($0)\");" }
            return """
                for (uint64_t i = 0; i < \(count); i++) {
                        \(comparisons.joined(separator: "\n        "))
                        erase(copy, &\(word), sizeof \(word));
                    }
                    words_compared++;
                """
        }
        return """
            static void \(function)(unsigned char *copy)
            {
                \(checks.joined(separator: "\n    "))
            }
            """
    }

    func main() throws -> String {
        let locks = Self.page.rows("Locks").map { $0[0].trimmingCharacters(in: ["`"]) }
        try #require(locks.count == 2)
        // The header's values that the page gives: where the meaning begins with one.
        let header = Self.page.rows("Header: mslot_header").compactMap { row in
            row[4].prefixMatch(of: /`(\w+)`/).map { "expect(header->\(row[2].trimmingCharacters(in: ["`"])) == \($0.1), \"\(row[2])\");" }
        }
        try #require(header.count == 4)
        return """
            int main(void)
            {
                for (uint64_t n = 1; n <= 32768; n *= 2)
                    for (uint64_t w = 1; w + n <= 65535; w += 1 + w / 7)
                        for (uint64_t m = 1; m <= 1 << 24; m = m * 3 + n % 100) check_parts(n, w, m);
                for (unsigned shift = 0; shift < 50; shift++) {
                    uint64_t lap = (1ULL << shift) * 3 + shift;
                    for (uint32_t index = 0; index < 65535; index += 257) {
                        expect(mslot__cell_empty(lap, index) == EMPTY(lap, index, 0), "EMPTY");
                        expect(mslot__cell_full(lap, index) == FULL(lap, index, 0), "FULL");
                        expect((mslot__cell_full(lap, index) | MSLOT_CELL_HERE) == FULL(lap, index, 1), "FULL, here");
                        expect(mslot__cell_released(FULL(lap, index, 1), lap + 1) == EMPTY(lap + 1, index, 1), "EMPTY, here");
                        expect(mslot__cell_closed(lap, index) == CLOSED(lap, index, 0), "CLOSED");
                        expect(mslot__label(mslot__lap_tag(lap), index % 49, index * 7, (uint16_t)index)
                            == LABEL(lap, index % 49, index, index * 7), "a label");
                    }
                }

                make("layout/new", 8, 70);
                const mslot_header *header = (const void *)segment;
                \(header.joined(separator: "\n    "))
                expect(memcmp(header->name, "layout/new", 11) == 0 && header->name_bytes == 10, "the name");
                unsigned char *copy = malloc(segment_bytes);
                memcpy(copy, segment, segment_bytes);
                new_words(copy);
                erase(copy, segment, sizeof(mslot_header));
                erase(copy, &control->leaves_fence, 4);
                erase(copy, &control->reader_since_ns, 16);
                for (size_t i = 0; i < segment_bytes; i++) expect(copy[i] == 0, "all other bytes are zero");
                for (size_t i = 1144; i < 1280; i++) expect(segment[i] == 0, "the header's reserved bytes are zero");
                expect(is_locked(\(locks[0])), "the reader's lock");
                for (uint64_t i = 0; i < W; i++) expect(!is_locked(\(locks[1])), "no lane is taken");
                mslot_writer *writer = mslot_open("layout/new", NULL).writer;
                expect(writer != NULL && mslot_writer_write(writer, "x", 1, 0) == MSLOT_DONE, "a message is written");
                for (uint64_t i = 0; i < W; i++)
                    expect(is_locked(\(locks[1])) == (i == 0 && lanes[i].messages_written == 1), "the lock of a lane");
                mslot_writer_close(writer);
                mslot_reader_close(reader);
                expect(!is_locked(\(locks[0])), "the reader's lock is gone");

                make("layout/example", 4, 1);
                writer = mslot_open("layout/example", NULL).writer;
                char text[MSLOT_MESSAGE_BYTES_MAX];
                expect(mslot_writer_write(writer, "hello", 5, 0) == MSLOT_DONE, "hello is written");
                expect(mslot_reader_read(reader, text, sizeof text, 0).outcome == MSLOT_DONE, "and read");
                char longer[100] = "longer";
                expect(mslot_writer_write(writer, longer, sizeof longer, 0) == MSLOT_DONE, "a longer one is written");
                expect(mslot_reader_read(reader, text, sizeof text, 0).outcome == MSLOT_DONE, "and read");
                expect(mslot_writer_write(writer, "bye", 3, 0) == MSLOT_DONE, "bye is written");
                copy = realloc(copy, segment_bytes);
                example_words(copy);
                expect(memcmp(cells[0].bytes, "hello", 5) == 0 && memcmp(cells[2].bytes, "bye", 3) == 0, "the lines");
                expect(memcmp(slots[4].payload, longer, sizeof longer) == 0, "the payload");
                expect(slots[4].sender == (uint32_t)getpid() && slots[4].lane == 0 && slots[4].origin == 0, "the slot's header");
                printf("%u words compared\\n", words_compared);
                return 0;
            }
            """
    }
}

/// A page of the documentation, as its tables.
struct Page {
    private let tables: [String: [[String]]]

    init(_ text: String) {
        var tables: [String: [[String]]] = [:]
        var heading = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("#") { heading = line.drop { $0 == "#" || $0 == " " }.description }
            guard line.hasPrefix("| "), line.hasSuffix("|") else { continue }
            let cells = line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false)
            tables[heading, default: []].append(cells.map { $0.trimmingCharacters(in: .whitespaces) })
        }
        self.tables = tables
    }

    /// The rows of the one table below a heading, without its head.
    func rows(_ heading: String) -> [[String]] { Array((tables[heading] ?? []).dropFirst()) }
}
