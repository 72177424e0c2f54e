//! Waiting without a thread of one's own: for tasks, and for event loops.

use std::future::Future;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::{fs, io};

use mailslots_sys as sys;

use crate::{Error, Reader};

/// A wait that has its place on the heap, and ends with its owner.
struct Wait<'a> {
    reader: &'a mut Reader,
    // Sound: from the call that begins a wait on, C has it; it stays where it is until it is stopped.
    wait: Box<sys::mslot_wait>,
    has_begun: bool,
}

impl<'a> Wait<'a> {
    fn new(reader: &'a mut Reader, ended: unsafe extern "C" fn(*mut sys::mslot_wait)) -> Self {
        let mut wait = Box::<sys::mslot_wait>::default();
        wait.ended = Some(ended);
        wait.timeout_ns = sys::MSLOT_FOREVER;
        wait.never_polls = true; // others have something to do
        Self { reader, wait, has_begun: false }
    }

    /// `false`: the wait has begun, or goes on after `ended` was called.
    fn begin(&mut self) -> Result<bool, Error> {
        // Sound: the wait stays in its place, and is stopped before it goes.
        let outcome = unsafe { sys::mslot_reader_begin_wait(self.reader.handle.as_ptr(), &mut *self.wait) };
        // BUSY says nothing of ours: it may be the one that is on.
        if outcome != sys::MSLOT_BUSY {
            self.has_begun = outcome == sys::MSLOT_EMPTY;
        }
        match outcome {
            sys::MSLOT_DONE => Ok(true),
            sys::MSLOT_EMPTY => Ok(false),
            outcome => Err(Error::of(outcome, &self.reader.name)),
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.has_begun) {
            // Sound: it has begun. Afterwards `ended` is not called any more, and the reader is free.
            unsafe {
                sys::mslot_wait_stop(&mut *self.wait);
                sys::mslot_reader_end_wait(self.reader.handle.as_ptr());
            }
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

impl Reader {
    /// Until there is a message, for any executor: then a read need not wait. Dropped it ends the wait, and nothing is lost.
    pub fn ready(&mut self) -> Ready<'_> {
        Ready { wait: Wait::new(self, wake), waker: Box::default(), is_waiting: false }
    }

    /// A descriptor that becomes readable when there is a message: for epoll, or an executor that waits for descriptors.
    pub fn events(&mut self) -> io::Result<Events<'_>> {
        // Sound: the descriptor is new, and nobody else's.
        let descriptor = unsafe {
            match sys::mslot_eventfd_create() {
                -1 => return Err(io::Error::last_os_error()),
                descriptor => fs::File::from_raw_fd(descriptor),
            }
        };
        let mut wait = Wait::new(self, sys::mslot_wait_signal_eventfd);
        wait.wait.context = descriptor.as_raw_fd() as usize as *mut _;
        Ok(Events { wait, descriptor })
    }
}

/// What a library's thread wakes. `None`: it has, and the wait is over.
type SharedWaker = Mutex<Option<Waker>>;

unsafe extern "C" fn wake(wait: *mut sys::mslot_wait) {
    // Sound: the context is a waker that lives until the wait is stopped.
    let shared = unsafe { &*(*wait).context.cast::<SharedWaker>() };
    let waker = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A future: there is a message.
pub struct Ready<'a> {
    // First, for it must end before the waker goes.
    wait: Wait<'a>,
    waker: Box<SharedWaker>,
    is_waiting: bool,
}

// Sound: the reader may move between threads, and what C has in the box does not care.
unsafe impl Send for Ready<'_> {}

impl Future for Ready<'_> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.is_waiting {
            let mut waker = this.waker.lock().unwrap_or_else(PoisonError::into_inner);
            if waker.is_some() {
                *waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        *this.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        this.wait.wait.context = (&*this.waker as *const SharedWaker).cast_mut().cast();
        match this.wait.begin() {
            Ok(true) => {
                this.is_waiting = false;
                Poll::Ready(Ok(()))
            }
            Ok(false) => {
                this.is_waiting = true;
                Poll::Pending
            }
            Err(error) => {
                this.is_waiting = false;
                Poll::Ready(Err(error))
            }
        }
    }
}

/// A descriptor that tells of messages. Begin a wait with [`arm`](Events::arm); wait until it is readable; and so on.
pub struct Events<'a> {
    // First: afterwards nobody writes to the descriptor.
    wait: Wait<'a>,
    descriptor: fs::File,
}

// Sound: as of Ready.
unsafe impl Send for Events<'_> {}

impl Events<'_> {
    /// `true`: there is a message, [`reader`](Events::reader) reads it. `false`: the descriptor becomes readable when one may be there;
    /// then call this again, and not before.
    pub fn arm(&mut self) -> Result<bool, Error> {
        // What was told is heard. Nothing to be heard is no error; the descriptor does not block.
        let _ = (&self.descriptor).read(&mut [0; 8]);
        self.wait.begin()
    }

    /// The reader, to read from; ends the wait that is on.
    pub fn reader(&mut self) -> &mut Reader {
        self.wait.end();
        self.wait.reader
    }
}

impl AsFd for Events<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
