//! The ends, in threads and processes, and what they refuse.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use mailslots::{ErrorKind, MessageSink, MessageStream, Reader, ReaderOptions, Writer, WriterOptions};

const NOW: Option<Duration> = Some(Duration::ZERO);

fn unique_name() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    format!("rust/{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn kind<T>(result: Result<T, mailslots::Error>) -> ErrorKind {
    match result {
        Ok(_) => panic!("it succeeded"),
        Err(error) => {
            assert!(error.to_string().contains("ailslot"), "{error}");
            error.kind()
        }
    }
}

#[test]
fn bytes_arrive_as_they_were() {
    let name = unique_name();
    let mut reader = Reader::create(&name).unwrap();
    let mut writer = Writer::open(&name).unwrap();
    for message in [&b""[..], b"a\0b", &[7; 424]] {
        assert!(writer.write(message, None).unwrap());
        assert_eq!(reader.read(None).unwrap().as_deref(), Some(message));
    }
    assert_eq!(kind(writer.write(&[0; 425], None)), ErrorKind::TooLong);
}

#[test]
fn long_messages_arrive_where_they_are_allowed() {
    let name = unique_name();
    let mut reader = ReaderOptions::new().max_message_size(1 << 20).writers(1).create(&name).unwrap();
    let message: Vec<u8> = (0..1_000_000u32).map(|i| i as u8).collect();
    assert!(Writer::open(&name).unwrap().write(&message, None).unwrap());
    assert_eq!(reader.read(None).unwrap(), Some(message));
}

#[test]
fn late_and_full_are_no_errors() {
    let name = unique_name();
    let mut reader = ReaderOptions::new().capacity(1).create(&name).unwrap();
    let mut writer = Writer::open(&name).unwrap();
    assert!(reader.read(NOW).unwrap().is_none());
    assert!(reader.lend(Some(Duration::from_millis(1))).unwrap().is_none());
    assert!(writer.write(b"fills it", NOW).unwrap());
    assert!(!writer.write(b"no room", NOW).unwrap());
    assert!(!writer.write(b"no room", Some(Duration::from_millis(1))).unwrap());
    let mut small = [0; 3];
    assert_eq!(kind(reader.read_into(&mut small, NOW)), ErrorKind::TooLong);
    let mut buffer = [0; 16];
    assert_eq!(reader.read_into(&mut buffer, NOW).unwrap(), Some(8));
    assert_eq!(&buffer[..8], b"fills it");
}

#[test]
fn a_message_is_lent_in_place_and_released_where_it_is_dropped() {
    let name = unique_name();
    let mut reader = Reader::create(&name).unwrap();
    let mut writer = Writer::open(&name).unwrap();
    writer.write(b"one", None).unwrap();
    writer.write(b"two", None).unwrap();
    {
        let message = reader.lend(None).unwrap().unwrap();
        assert_eq!((message.to_vec(), message.len(), message.sender(), message.origin()), (b"one".to_vec(), 3, std::process::id(), 0));
        let mut start = [0; 2];
        assert_eq!((message.copy_to(&mut start), &start), (2, b"on"));
    }
    assert_eq!(reader.read(None).unwrap().unwrap(), b"two");
    // One that is forgotten stays lent: an error, and no harm.
    writer.write(b"three", None).unwrap();
    std::mem::forget(reader.lend(None).unwrap());
    assert_eq!(kind(reader.read_into(&mut [0; 8], NOW)), ErrorKind::Busy);
}

#[test]
fn a_loan_is_written_when_it_is_published_and_not_before() {
    let name = unique_name();
    let mut reader = ReaderOptions::new().capacity(1).create(&name).unwrap();
    let mut writer = Writer::open(&name).unwrap();
    write!(writer.loan().unwrap(), "abandoned").unwrap();
    assert!(reader.read(NOW).unwrap().is_none());
    {
        let mut loan = writer.loan().unwrap();
        write!(loan, "order {}", 7).unwrap();
        assert!(loan.publish(None).unwrap());
        assert_eq!(loan.write(b"late").unwrap(), 0);
        assert_eq!(kind(loan.publish(None)), ErrorKind::BadArgument);
    }
    let mut loan = writer.loan().unwrap();
    assert_eq!(loan.write(&[1; 500]).unwrap(), 424);
    assert!(!loan.publish(NOW).unwrap());
    assert_eq!(reader.read(None).unwrap().unwrap(), b"order 7");
    assert!(loan.publish(None).unwrap());
    assert_eq!(reader.read(None).unwrap().unwrap(), [1; 424]);
    drop(loan);
    std::mem::forget(writer.loan().unwrap());
    assert_eq!(kind(writer.write(b"x", NOW)), ErrorKind::Busy);
}

#[test]
fn ends_move_between_threads() {
    let name = unique_name();
    let mut reader = ReaderOptions::new().capacity(2).create(&name).unwrap();
    let mut writer = Writer::open(&name).unwrap();
    let writing = thread::spawn(move || {
        for i in 0..5000u32 {
            assert!(writer.write(&i.to_le_bytes(), None).unwrap());
        }
    });
    for i in 0..5000u32 {
        assert_eq!(reader.read(None).unwrap().unwrap(), i.to_le_bytes());
    }
    writing.join().unwrap();
}

#[test]
fn an_interrupter_ends_a_wait_and_outlives_its_reader() {
    let name = unique_name();
    let mut reader = Reader::create(&name).unwrap();
    let interrupter = reader.interrupter();
    let interrupting = thread::spawn({
        let interrupter = interrupter.clone();
        move || interrupter.interrupt()
    });
    assert_eq!(kind(reader.read(None)), ErrorKind::Interrupted);
    interrupting.join().unwrap();
    drop(reader);
    interrupter.interrupt();
}

#[test]
fn ends_close_where_they_are_dropped() {
    let name = unique_name();
    assert_eq!(kind(Writer::open(&name)), ErrorKind::NotFound);
    assert_eq!(kind(WriterOptions::new().wait(Some(Duration::from_millis(5))).open(&name)), ErrorKind::TimedOut);
    let reader = ReaderOptions::new().writers(1).create(&name).unwrap();
    let taken = Reader::create(&name).err().unwrap();
    assert_eq!((taken.kind(), taken.holder()), (ErrorKind::AlreadyExists, std::process::id()));
    let mut writer = Writer::open(&name).unwrap();
    assert_eq!(kind(Writer::open(&name)), ErrorKind::TooManyWriters);
    assert!(writer.has_reader().unwrap());
    drop(reader);
    assert!(!writer.has_reader().unwrap());
    assert_eq!(kind(writer.write(b"late", None)), ErrorKind::Closed);
    let reader = Reader::create(&name).unwrap();
    Writer::open(&name).unwrap().write(b"kept", None).unwrap();
    reader.leave().unwrap();
    let mut next = ReaderOptions::new().adopt(true).create(&name).unwrap();
    assert_eq!((next.adopted(), next.unread_count(), next.read(NOW).unwrap()), (true, 1, Some(b"kept".to_vec())));
    assert_eq!(kind(Reader::create("a:b")), ErrorKind::BadName);
    assert_eq!(kind(Reader::create("a\0b")), ErrorKind::BadName);
    assert_eq!(kind(ReaderOptions::new().capacity(3).create(&name)), ErrorKind::BadArgument);
}

#[test]
fn streams_go_through_a_mailslot_up_to_their_end() {
    let name = unique_name();
    let mut reader = ReaderOptions::new().capacity(4).create(&name).unwrap();
    let mut writer = Writer::open(&name).unwrap();
    let bytes: Vec<u8> = (0..100_000u32).map(|i| (i / 7) as u8).collect();
    let writing = thread::spawn({
        let bytes = bytes.clone();
        move || {
            let mut sink = MessageSink::new(&mut writer);
            assert_eq!(sink.write(b"").unwrap(), 0);
            sink.write_all(&bytes).unwrap();
            sink.finish().unwrap();
        }
    });
    let mut read = Vec::new();
    let mut stream = MessageStream::new(&mut reader);
    stream.read_to_end(&mut read).unwrap();
    assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0);
    writing.join().unwrap();
    assert!(read == bytes);
}

extern "C" {
    fn fork() -> i32;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(status: i32) -> !;
}

#[test]
fn the_child_of_a_fork_gets_errors_and_harms_nobody() {
    let name = unique_name();
    let mut reader = Reader::create(&name).unwrap();
    let mut writer = Writer::open(&name).unwrap();
    // Sound: the child calls what allocates at most, which libc's fork allows, and ends by _exit.
    unsafe {
        let child = fork();
        if child == 0 {
            let refused = reader.read_into(&mut [0; 8], NOW).is_err_and(|error| error.kind() == ErrorKind::Forked)
                && writer.write(b"x", NOW).is_err_and(|error| error.kind() == ErrorKind::Forked);
            drop(reader);
            drop(writer);
            _exit(if refused { 0 } else { 1 });
        }
        let mut status = -1;
        assert_eq!((waitpid(child, &mut status, 0), status), (child, 0));
    }
    writer.write(b"after", None).unwrap();
    assert_eq!(reader.read(NOW).unwrap().unwrap(), b"after");
}

#[test]
fn a_killed_writer_loses_nothing_that_it_wrote() {
    // This very test, as a process that only writes.
    if let Ok(name) = std::env::var("MAILSLOTS_WRITER") {
        let mut writer = WriterOptions::new().wait(None).open(&name).unwrap();
        let mut i = 0u64;
        loop {
            writer.write(&i.to_le_bytes(), None).unwrap();
            i += 1;
        }
    }
    let name = unique_name();
    let mut reader = ReaderOptions::new().capacity(64).create(&name).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_writer_loses_nothing_that_it_wrote"])
        .env("MAILSLOTS_WRITER", &name)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut next = 0u64;
    while next < 1000 {
        assert_eq!(reader.read(Some(Duration::from_secs(60))).unwrap().expect("it writes"), next.to_le_bytes());
        next += 1;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    while let Some(message) = reader.read(NOW).unwrap() {
        assert_eq!(message, next.to_le_bytes());
        next += 1;
    }
}

#[test]
fn the_version_is_that_of_the_crate() {
    assert_eq!(mailslots::version(), env!("CARGO_PKG_VERSION"));
}
