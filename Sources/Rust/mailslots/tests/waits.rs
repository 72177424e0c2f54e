//! Waits of tasks and event loops.

use std::future::Future;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use mailslots::{ErrorKind, Reader, Writer};

const NOW: Option<Duration> = Some(Duration::ZERO);

/// An executor of one task: the thread sleeps until it is woken.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn ends(name: &str) -> (Reader, Writer) {
    let name = format!("rust/{}-{name}", std::process::id());
    (Reader::create(&name).unwrap(), Writer::open(&name).unwrap())
}

#[test]
fn a_task_hears_of_each_message() {
    let (mut reader, mut writer) = ends("task");
    let writing = thread::spawn(move || {
        for i in 0..1000u32 {
            writer.write(&i.to_le_bytes(), None).unwrap();
        }
    });
    block_on(async {
        for i in 0..1000u32 {
            let message = loop {
                match reader.read(NOW).unwrap() {
                    Some(message) => break message,
                    None => reader.ready().await.unwrap(),
                }
            };
            assert_eq!(message, i.to_le_bytes());
        }
    });
    writing.join().unwrap();
}

#[test]
fn a_future_that_is_dropped_ends_its_wait() {
    let (mut reader, mut writer) = ends("dropped");
    for _ in 0..100 {
        let mut ready = Box::pin(reader.ready());
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        assert!(ready.as_mut().poll(&mut context).is_pending());
        assert!(ready.as_mut().poll(&mut context).is_pending());
        writer.write(b"x", None).unwrap();
        drop(ready);
        assert_eq!(reader.read(NOW).unwrap().unwrap(), b"x");
    }
}

#[test]
fn an_interrupt_ends_a_future() {
    let (mut reader, _writer) = ends("interrupted");
    let interrupter = reader.interrupter();
    let interrupting = thread::spawn(move || interrupter.interrupt());
    assert_eq!(block_on(reader.ready()).unwrap_err().kind(), ErrorKind::Interrupted);
    interrupting.join().unwrap();
}

#[repr(C)]
struct PollDescriptor {
    descriptor: i32,
    events: i16,
    returned: i16,
}

extern "C" {
    fn poll(descriptors: *mut PollDescriptor, count: usize, milliseconds: i32) -> i32;
}

#[test]
fn a_descriptor_that_is_armed_twice_is_busy_and_its_wait_ends_with_it() {
    let (mut reader, mut writer) = ends("armed-twice");
    let mut events = reader.events().unwrap();
    assert!(!events.arm().unwrap());
    assert!(events.arm().is_err_and(|error| error.kind() == ErrorKind::Busy));
    drop(events);
    writer.write(b"free", None).unwrap();
    assert_eq!(reader.read(NOW).unwrap().unwrap(), *b"free");
}

#[test]
fn a_descriptor_is_readable_when_a_message_is_there() {
    let (mut reader, mut writer) = ends("descriptor");
    let mut events = reader.events().unwrap();
    for i in 0..100u32 {
        assert!(!events.arm().unwrap());
        writer.write(&i.to_le_bytes(), None).unwrap();
        loop {
            let mut descriptor = PollDescriptor { descriptor: events.as_fd().as_raw_fd(), events: 1, returned: 0 };
            // Sound: it is one descriptor, and lives.
            assert_eq!(unsafe { poll(&mut descriptor, 1, 60_000) }, 1, "it is readable in time");
            if events.arm().unwrap() {
                break;
            }
        }
        assert_eq!(events.reader().read(NOW).unwrap().unwrap(), i.to_le_bytes());
    }
}
