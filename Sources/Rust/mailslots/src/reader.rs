use std::ffi::CString;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mailslots_sys as sys;

use crate::error::c_name;
use crate::{nanoseconds, polling_nanoseconds, Error};

/// How to create a mailslot. What is not said is as the C core has it: 1,024 messages, 256 writers, 424 bytes, mode 0600.
#[derive(Debug, Clone, Default)]
pub struct ReaderOptions {
    capacity: u32,
    writers: u32,
    max_message_size: u32,
    mode: u32,
    adopt: bool,
    allow_remote: bool,
    lock_pages: bool,
    announces_death: bool,
    polling: Option<Duration>,
}

impl ReaderOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Messages that fit, a power of two, 1 to 32768.
    pub fn capacity(mut self, messages: u32) -> Self {
        self.capacity = messages;
        self
    }

    /// Writers at one time.
    pub fn writers(mut self, count: u32) -> Self {
        self.writers = count;
        self
    }

    /// The longest message in bytes, up to 16 MiB.
    pub fn max_message_size(mut self, bytes: u32) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// The file's permission bits: 0o600, 0o660, 0o606 or 0o666.
    pub fn mode(mut self, bits: u32) -> Self {
        self.mode = bits;
        self
    }

    /// Whether to read what a reader that was killed, or left, has left unread, and not to discard it.
    pub fn adopt(mut self, adopt: bool) -> Self {
        self.adopt = adopt;
        self
    }

    /// Whether messages from other machines may be delivered here.
    pub fn allow_remote(mut self, allow: bool) -> Self {
        self.allow_remote = allow;
        self
    }

    /// Whether to keep the mailslot's pages in memory.
    pub fn lock_pages(mut self, lock: bool) -> Self {
        self.lock_pages = lock;
        self
    }

    /// Whether writers shall see by a look that the reader lives, at the cost of a thread that sleeps.
    pub fn announces_death(mut self, announces: bool) -> Self {
        self.announces_death = announces;
        self
    }

    /// How long a read polls before it sleeps; zero: not at all. As it is not said: as long as it has paid lately.
    pub fn polling(mut self, time: Duration) -> Self {
        self.polling = Some(time);
        self
    }

    /// Creates the mailslot.
    pub fn create(&self, name: &str) -> Result<Reader, Error> {
        let name = c_name(name)?;
        let options = sys::mslot_create_options {
            size: std::mem::size_of::<sys::mslot_create_options>() as u32,
            capacity: self.capacity,
            writers: self.writers,
            message_bytes_max: self.max_message_size,
            mode: self.mode,
            adopt: self.adopt,
            allow_remote: self.allow_remote,
            reserved: 0,
            read_timeout_ns: sys::MSLOT_FOREVER,
            lock_pages: self.lock_pages,
            announces_death: self.announces_death,
            reserved_behind: [0; 6],
            polling_ns: polling_nanoseconds(self.polling),
        };
        // Sound: both outlive the call.
        let created = unsafe { sys::mslot_create(name.as_ptr(), &options) };
        let handle = NonNull::new(created.reader).ok_or_else(|| Error::new(&created.failure, &name))?;
        let open = Arc::new(Mutex::new(OpenHandle(Some(handle))));
        Ok(Reader { handle, open, name, adopted: created.adopted, unread_count: created.unread_count, _not_sync: PhantomData })
    }
}

/// The handle while it is open: for interrupters, which may outlive it.
struct OpenHandle(Option<NonNull<sys::mslot_reader>>);

// Sound: an interrupter only interrupts, which any thread may do while the handle is open; the mutex says whether it is.
unsafe impl Send for OpenHandle {}

/// The reading end. Dropped it closes: what is unread is discarded, the writers are told, and the name is free.
pub struct Reader {
    pub(crate) handle: NonNull<sys::mslot_reader>,
    open: Arc<Mutex<OpenHandle>>,
    pub(crate) name: CString,
    adopted: bool,
    unread_count: u32,
    _not_sync: PhantomData<*const ()>,
}

// Sound: a handle may move between threads; one at a time uses it, for every call takes it by `&mut`.
unsafe impl Send for Reader {}

impl Reader {
    /// Creates a mailslot with the default options.
    pub fn create(name: &str) -> Result<Self, Error> {
        ReaderOptions::new().create(name)
    }

    /// The next message; `None`: none came in time.
    pub fn read(&mut self, timeout: Option<Duration>) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.lend(timeout)?.map(|message| message.to_vec()))
    }

    /// Copies the next message into the buffer, and returns how many bytes it has; `None`: none came in time.
    /// [`ErrorKind::TooLong`](crate::ErrorKind::TooLong): the buffer is too small, and the message stays.
    pub fn read_into(&mut self, buffer: &mut [u8], timeout: Option<Duration>) -> Result<Option<usize>, Error> {
        // Sound: the buffer is as long as is said.
        let received =
            unsafe { sys::mslot_reader_read(self.handle.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len(), nanoseconds(timeout)) };
        match received.outcome {
            sys::MSLOT_DONE => Ok(Some(received.byte_count as usize)),
            sys::MSLOT_EMPTY | sys::MSLOT_TIMED_OUT => Ok(None),
            outcome => Err(Error::of(outcome, &self.name)),
        }
    }

    /// The next message in place, which is released where it is dropped; `None`: none came in time.
    pub fn lend(&mut self, timeout: Option<Duration>) -> Result<Option<Message<'_>>, Error> {
        // Sound: the handle is open as long as this is there.
        let view = unsafe { sys::mslot_reader_peek(self.handle.as_ptr(), nanoseconds(timeout)) };
        match view.outcome {
            sys::MSLOT_DONE => Ok(Some(Message { reader: self, view })),
            sys::MSLOT_EMPTY | sys::MSLOT_TIMED_OUT => Ok(None),
            outcome => Err(Error::of(outcome, &self.name)),
        }
    }

    /// What ends a wait of this reader from another thread. It may outlive the reader.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter { open: self.open.clone() }
    }

    /// Closes, but keeps what is unread for the next reader that adopts.
    pub fn leave(self) -> Result<(), Error> {
        let outcome = self.end(sys::mslot_reader_leave);
        let result = if outcome == sys::MSLOT_DONE { Ok(()) } else { Err(Error::of(outcome, &self.name)) };
        result
    }

    /// Whether what a reader before had left was adopted.
    pub fn adopted(&self) -> bool {
        self.adopted
    }

    /// How many messages a reader before had left: adopted, or discarded.
    pub fn unread_count(&self) -> u32 {
        self.unread_count
    }

    /// Once: the handle is given back. A second time it does nothing.
    fn end(&self, call: unsafe extern "C" fn(*mut sys::mslot_reader) -> sys::mslot_outcome) -> sys::mslot_outcome {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.0.take() {
            // Sound: it was open until now, and no interrupter has it any more.
            Some(handle) => unsafe { call(handle.as_ptr()) },
            None => sys::MSLOT_DONE,
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.end(sys::mslot_reader_close);
    }
}

/// Ends a reader's wait, from any thread.
#[derive(Clone)]
pub struct Interrupter {
    open: Arc<Mutex<OpenHandle>>,
}

impl Interrupter {
    /// Ends the wait that is on, or the next one, with [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted). Nothing for a reader
    /// that is closed. Not for signal handlers.
    pub fn interrupt(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = open.0 {
            // Sound: it is open while the mutex is locked.
            unsafe { sys::mslot_reader_interrupt(handle.as_ptr()) };
        }
    }
}

/// A message in place. A process that may write the mailslot can change it at any moment, so it is no slice: copy it, then look.
pub struct Message<'a> {
    reader: &'a mut Reader,
    view: sys::mslot_view,
}

impl Message<'_> {
    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.view.byte_count as usize
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        // Sound: the room is there, and bytes that change while they are copied are still bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(self.view.bytes, bytes.as_mut_ptr(), self.len());
            bytes.set_len(self.len());
        }
        bytes
    }

    /// Copies it to the beginning of a buffer, as far as there is room; returns how many bytes.
    pub fn copy_to(&self, buffer: &mut [u8]) -> usize {
        let count = self.len().min(buffer.len());
        // Sound: as above.
        unsafe { std::ptr::copy_nonoverlapping(self.view.bytes, buffer.as_mut_ptr(), count) };
        count
    }

    /// The bytes themselves.
    ///
    /// # Safety
    ///
    /// No process that may write the mailslot changes a message once it is written. All of this package keep to that.
    pub unsafe fn bytes(&self) -> &[u8] {
        if self.is_empty() {
            return &[];
        }
        // Sound: they stay until the message is released; the caller answers for the rest.
        unsafe { std::slice::from_raw_parts(self.view.bytes, self.len()) }
    }

    /// Its number: consecutive, and the same if it comes again after a crash.
    pub fn position(&self) -> u64 {
        self.view.position
    }

    /// The process id that its writer says it has.
    pub fn sender(&self) -> u32 {
        self.view.sender
    }

    /// Where it came from; 0: this machine.
    pub fn origin(&self) -> u16 {
        self.view.origin
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        // Sound: the reader is borrowed, and so open. That the ring was destroyed meanwhile the next read says.
        unsafe { sys::mslot_reader_release(self.reader.handle.as_ptr(), 1) };
    }
}
