//! Small messages between the processes of one Linux machine, by shared memory, that no `kill -9` can wedge.
//!
//! One process creates a mailslot and reads; any number of processes open it and write.
//!
//! ```
//! # fn main() -> Result<(), mailslots::Error> {
//! let name = format!("doc/{}", std::process::id());
//! let mut orders = mailslots::Reader::create(&name)?;
//! let mut out = mailslots::Writer::open(&name)?;
//! out.write(b"hello", None)?;
//! assert_eq!(orders.read(None)?.as_deref(), Some(&b"hello"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! A time-out is an `Option<Duration>`: `None` waits for ever, zero does not wait. Late and full are no errors: a read is `None` then, a
//! write `false`. An end is for one thread at a time: it is `Send` and not `Sync`. It closes where it is dropped. In the child of a fork
//! every call on its parent's ends is [`ErrorKind::Forked`]: open in the child.

mod error;
mod reader;
mod streams;
mod wait;
mod writer;

pub use error::{Error, ErrorKind};
pub use reader::{Interrupter, Message, Reader, ReaderOptions};
pub use streams::{MessageSink, MessageStream};
pub use wait::{Events, Ready};
pub use writer::{Loan, Trust, Writer, WriterOptions};

use std::time::Duration;

/// The longest message in bytes of a mailslot whose creator asked for no longer ones; of a loan in any case.
pub const MAX_MESSAGE_SIZE: usize = mailslots_sys::MSLOT_MESSAGE_BYTES_MAX;

/// The version of the C core that runs, such as `0.2.0`.
pub fn version() -> &'static str {
    // Sound: it is for ever valid, and ASCII.
    unsafe { std::ffi::CStr::from_ptr(mailslots_sys::mslot_version()) }.to_str().unwrap_or("")
}

fn nanoseconds(timeout: Option<Duration>) -> i64 {
    timeout.map_or(mailslots_sys::MSLOT_FOREVER, |time| i64::try_from(time.as_nanos()).unwrap_or(mailslots_sys::MSLOT_FOREVER))
}

/// How long a wait polls before it sleeps: `None`: as long as it has paid lately; zero: not at all.
fn polling_nanoseconds(polling: Option<Duration>) -> i64 {
    match polling {
        None => 0,
        Some(Duration::ZERO) => -1,
        some => nanoseconds(some),
    }
}
