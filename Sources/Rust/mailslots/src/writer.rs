use std::ffi::CString;
use std::io;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::time::Duration;

use mailslots_sys as sys;

use crate::error::c_name;
use crate::{nanoseconds, polling_nanoseconds, Error};

/// Whose mailslots are trusted, beside one's own and root's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// Nobody else's.
    #[default]
    SameUser,
    /// That user's, too.
    User(u32),
    /// Everybody's.
    Anyone,
}

/// How to open a mailslot.
#[derive(Debug, Clone)]
pub struct WriterOptions {
    wait: Option<Duration>,
    trust: Trust,
    wait_through_restarts: bool,
    leaves_express_lane: bool,
    populate: bool,
    lock_pages: bool,
    polling: Option<Duration>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            wait: Some(Duration::ZERO),
            trust: Trust::SameUser,
            wait_through_restarts: false,
            leaves_express_lane: false,
            populate: false,
            lock_pages: false,
            polling: None,
        }
    }
}

impl WriterOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait for a reader to appear; `None`: for ever. As it is not said: not at all.
    pub fn wait(mut self, time: Option<Duration>) -> Self {
        self.wait = time;
        self
    }

    /// Whose mailslots are trusted.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Whether a wait for room goes on when the reader was killed, or left.
    pub fn wait_through_restarts(mut self, wait: bool) -> Self {
        self.wait_through_restarts = wait;
        self
    }

    /// Whether to leave the express lane to others: for who writes seldom.
    pub fn leaves_express_lane(mut self, leaves: bool) -> Self {
        self.leaves_express_lane = leaves;
        self
    }

    /// Whether to map every page at once.
    pub fn populate(mut self, populate: bool) -> Self {
        self.populate = populate;
        self
    }

    /// Whether to keep the mailslot's pages in memory.
    pub fn lock_pages(mut self, lock: bool) -> Self {
        self.lock_pages = lock;
        self
    }

    /// How long a write that waits for room polls before it sleeps; zero: not at all.
    pub fn polling(mut self, time: Duration) -> Self {
        self.polling = Some(time);
        self
    }

    /// Opens the mailslot.
    pub fn open(&self, name: &str) -> Result<Writer, Error> {
        let name = c_name(name)?;
        let options = sys::mslot_open_options {
            size: std::mem::size_of::<sys::mslot_open_options>() as u32,
            trust_user: match self.trust {
                Trust::SameUser => sys::MSLOT_TRUST_NOBODY_ELSE,
                Trust::User(user) => user,
                Trust::Anyone => sys::MSLOT_TRUST_ANYONE,
            },
            wait_ns: nanoseconds(self.wait),
            answer_ns: 0,
            wait_through_restarts: self.wait_through_restarts,
            populate: self.populate,
            reserved: [0; 6],
            lock_pages: self.lock_pages,
            leaves_express_lane: self.leaves_express_lane,
            reserved_behind: [0; 6],
            interrupt: std::ptr::null_mut(),
            polling_ns: polling_nanoseconds(self.polling),
        };
        // Sound: both outlive the call.
        let opened = unsafe { sys::mslot_open(name.as_ptr(), &options) };
        let handle = NonNull::new(opened.writer).ok_or_else(|| Error::new(&opened.failure, &name))?;
        Ok(Writer { handle, name, _not_sync: PhantomData })
    }
}

/// A writing end. Dropped it closes.
pub struct Writer {
    handle: NonNull<sys::mslot_writer>,
    name: CString,
    _not_sync: PhantomData<*const ()>,
}

// Sound: a handle may move between threads; one at a time uses it, for every call takes it by `&mut`.
unsafe impl Send for Writer {}

impl Writer {
    /// Opens a mailslot that has a reader.
    pub fn open(name: &str) -> Result<Self, Error> {
        WriterOptions::new().open(name)
    }

    /// Writes a message. `false`: there was no room in time, and nothing was written.
    pub fn write(&mut self, message: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        // Sound: the bytes are there during the call.
        let outcome =
            unsafe { sys::mslot_writer_write(self.handle.as_ptr(), message.as_ptr().cast(), message.len(), nanoseconds(timeout)) };
        self.is_written(outcome)
    }

    /// The writer's own slot, to be filled in place for as long as it takes: nobody waits for it. Dropped it is abandoned.
    pub fn loan(&mut self) -> Result<Loan<'_>, Error> {
        // Sound: the handle is open as long as this is there.
        let loaned = unsafe { sys::mslot_writer_loan(self.handle.as_ptr()) };
        match NonNull::new(loaned.bytes) {
            Some(bytes) => Ok(Loan { writer: self, bytes, filled: 0, is_out: true }),
            None => Err(Error::of(loaned.outcome, &self.name)),
        }
    }

    /// Whether the mailslot's reader is there: it has not closed it, was not killed and has not left. Half a microsecond.
    pub fn has_reader(&mut self) -> Result<bool, Error> {
        // Sound: as above, both.
        if unsafe { sys::mslot_writer_sees_close(self.handle.as_ptr()) } {
            return Ok(false);
        }
        match unsafe { sys::mslot_writer_check_reader(self.handle.as_ptr()) } {
            sys::MSLOT_DONE => Ok(true),
            sys::MSLOT_NO_READER => Ok(false),
            outcome => Err(Error::of(outcome, &self.name)),
        }
    }

    fn is_written(&self, outcome: sys::mslot_outcome) -> Result<bool, Error> {
        match outcome {
            sys::MSLOT_DONE => Ok(true),
            sys::MSLOT_FULL | sys::MSLOT_TIMED_OUT => Ok(false),
            outcome => Err(Error::of(outcome, &self.name)),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Sound: it is open, and nobody uses it any more.
        unsafe { sys::mslot_writer_close(self.handle.as_ptr()) };
    }
}

/// A slot to be filled in place: by `io::Write`, which appends, or by the pointer. Then publish it.
pub struct Loan<'a> {
    writer: &'a mut Writer,
    bytes: NonNull<u8>,
    filled: usize,
    is_out: bool,
}

impl Loan<'_> {
    /// Where the slot is: room for [`MAX_MESSAGE_SIZE`](crate::MAX_MESSAGE_SIZE) bytes, which live as long as the loan. Shared memory.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_ptr()
    }

    /// How many bytes were appended.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Says how many bytes are filled.
    ///
    /// # Safety
    ///
    /// So many were written by the pointer, `MAX_MESSAGE_SIZE` at most.
    pub unsafe fn set_len(&mut self, count: usize) {
        self.filled = count;
    }

    /// Makes what is filled a message. `false`: there was no room in time, and the loan goes on. An error, too, leaves it.
    pub fn publish(&mut self, timeout: Option<Duration>) -> Result<bool, Error> {
        // Sound: the writer is borrowed, and so open. A loan that is over C refuses.
        let outcome = unsafe { sys::mslot_writer_publish(self.writer.handle.as_ptr(), self.filled, nanoseconds(timeout)) };
        self.is_out &= outcome != sys::MSLOT_DONE;
        self.writer.is_written(outcome)
    }
}

impl io::Write for Loan<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Published, the slot is another's.
        let room = if self.is_out { crate::MAX_MESSAGE_SIZE.saturating_sub(self.filled) } else { 0 };
        let count = bytes.len().min(room);
        // Sound: there is room for so many, and the two do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.bytes.as_ptr().add(self.filled), count) };
        self.filled += count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        if self.is_out {
            // Sound: as above.
            unsafe { sys::mslot_writer_abandon(self.writer.handle.as_ptr()) };
        }
    }
}
