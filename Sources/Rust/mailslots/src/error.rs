use std::ffi::{CStr, CString};
use std::{fmt, io};

use mailslots_sys as sys;

/// What kind of error it is. Later versions may add some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum ErrorKind {
    /// No reader appeared in time.
    TimedOut = sys::MSLOT_TIMED_OUT,
    /// The reader closed the mailslot, or a new one took its name over. Open anew.
    Closed = sys::MSLOT_CLOSED,
    /// The mailslot is there, but its reader was killed, or left.
    NoReader = sys::MSLOT_NO_READER,
    /// An [`Interrupter`](crate::Interrupter) ended the wait.
    Interrupted = sys::MSLOT_INTERRUPTED,
    /// A process that may write the mailslot overwrote it.
    Damaged = sys::MSLOT_DAMAGED,
    /// The message is longer than the mailslot takes, or than the buffer that it was to be read into.
    TooLong = sys::MSLOT_TOO_LONG,
    /// The end is in use: a message that was forgotten is still lent, or a loan is still out.
    Busy = sys::MSLOT_BUSY,
    /// The end belongs to the process that this one was forked from.
    Forked = sys::MSLOT_FORKED,
    /// An argument is out of its range.
    BadArgument = sys::MSLOT_BAD_ARGUMENT,
    /// The name is no mailslot's name.
    BadName = sys::MSLOT_BAD_NAME,
    /// No mailslot has this name.
    NotFound = sys::MSLOT_NOT_FOUND,
    /// Another reader has this name.
    AlreadyExists = sys::MSLOT_ALREADY_EXISTS,
    /// Every writer's lane is taken.
    TooManyWriters = sys::MSLOT_TOO_MANY_WRITERS,
    /// The file system refuses.
    NoPermission = sys::MSLOT_NO_PERMISSION,
    /// The mailslot belongs to a user whom the caller did not say it trusts.
    Untrusted = sys::MSLOT_UNTRUSTED,
    /// A file has the name, but it is no mailslot.
    NotAMailslot = sys::MSLOT_NOT_A_MAILSLOT,
    /// The mailslot has another layout version.
    OtherLayout = sys::MSLOT_OTHER_LAYOUT,
    /// The mailslot to adopt is not as it was asked for.
    Mismatch = sys::MSLOT_MISMATCH,
    /// The shared-memory file system is full.
    NoSpace = sys::MSLOT_NO_SPACE,
    /// Another system call failed.
    SystemError = sys::MSLOT_SYSTEM_ERROR,
    /// The name is of another machine, and no bridge runs on this one.
    NoBridge = sys::MSLOT_NO_BRIDGE,
    /// The bridge knows no host and no domain of this name.
    NoSuchHost = sys::MSLOT_NO_SUCH_HOST,
    /// The bridge's configuration does not allow to write there.
    NotAllowed = sys::MSLOT_NOT_ALLOWED,
    /// One that this version of the crate does not know.
    Other = -1,
}

const KINDS: [ErrorKind; 23] = [
    ErrorKind::TimedOut,
    ErrorKind::Closed,
    ErrorKind::NoReader,
    ErrorKind::Interrupted,
    ErrorKind::Damaged,
    ErrorKind::TooLong,
    ErrorKind::Busy,
    ErrorKind::Forked,
    ErrorKind::BadArgument,
    ErrorKind::BadName,
    ErrorKind::NotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::TooManyWriters,
    ErrorKind::NoPermission,
    ErrorKind::Untrusted,
    ErrorKind::NotAMailslot,
    ErrorKind::OtherLayout,
    ErrorKind::Mismatch,
    ErrorKind::NoSpace,
    ErrorKind::SystemError,
    ErrorKind::NoBridge,
    ErrorKind::NoSuchHost,
    ErrorKind::NotAllowed,
];

/// What is wrong, why, and the cure.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    errno: i32,
    holder: u32,
    text: String,
}

impl Error {
    pub(crate) fn new(failure: &sys::mslot_failure, name: &CStr) -> Self {
        let mut text = vec![0u8; 2048];
        // Sound: the buffer is as long as is said, and what is written ends in a zero.
        unsafe { sys::mslot_failure_describe(failure, name.as_ptr(), text.as_mut_ptr().cast(), text.len()) };
        let text = CStr::from_bytes_until_nul(&text).unwrap_or_default().to_string_lossy().into_owned();
        let kind = KINDS.into_iter().find(|kind| *kind as i32 == failure.outcome).unwrap_or(ErrorKind::Other);
        Self { kind, errno: failure.system_error, holder: failure.holder_pid.max(0) as u32, text }
    }

    pub(crate) fn of(outcome: sys::mslot_outcome, name: &CStr) -> Self {
        let system_error = if outcome == sys::MSLOT_SYSTEM_ERROR { io::Error::last_os_error().raw_os_error().unwrap_or(0) } else { 0 };
        let failure =
            sys::mslot_failure { outcome, system_error, holder_pid: 0, holder_uid: 0, detail: 0, reserved: [0; 8], words: [0; 404] };
        Self::new(&failure, name)
    }

    /// What kind of error it is, for a decision.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The errno of the system call that failed, or 0.
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// With [`ErrorKind::AlreadyExists`]: the reader's process, as it sees its own id.
    pub fn holder(&self) -> u32 {
        self.holder
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.kind, self.text)
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            ErrorKind::TimedOut => io::ErrorKind::TimedOut,
            ErrorKind::Closed | ErrorKind::NoReader => io::ErrorKind::BrokenPipe,
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
            ErrorKind::NoPermission | ErrorKind::Untrusted | ErrorKind::NotAllowed => io::ErrorKind::PermissionDenied,
            ErrorKind::BadArgument | ErrorKind::BadName | ErrorKind::TooLong => io::ErrorKind::InvalidInput,
            ErrorKind::Damaged => io::ErrorKind::InvalidData,
            // Not Interrupted, which readers of streams take for a reason to try again.
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// A name as C takes it. One with a zero byte inside is no mailslot's name, and C says so of an empty one.
pub(crate) fn c_name(name: &str) -> Result<CString, Error> {
    CString::new(name).map_err(|_| Error::of(sys::MSLOT_BAD_NAME, c""))
}
