//! The C API of Mailslots, as far as the crate `mailslots` uses it. Its manual is the header, `mailslots.h`.
#![allow(non_camel_case_types, missing_docs)]

use std::os::raw::{c_char, c_int, c_void};

pub type mslot_outcome = c_int;

pub const MSLOT_DONE: mslot_outcome = 0;
pub const MSLOT_FULL: mslot_outcome = 1;
pub const MSLOT_EMPTY: mslot_outcome = 2;
pub const MSLOT_TIMED_OUT: mslot_outcome = 3;
pub const MSLOT_CLOSED: mslot_outcome = 4;
pub const MSLOT_NO_READER: mslot_outcome = 5;
pub const MSLOT_INTERRUPTED: mslot_outcome = 6;
pub const MSLOT_DAMAGED: mslot_outcome = 7;
pub const MSLOT_TOO_LONG: mslot_outcome = 8;
pub const MSLOT_BUSY: mslot_outcome = 9;
pub const MSLOT_FORKED: mslot_outcome = 10;
pub const MSLOT_BAD_ARGUMENT: mslot_outcome = 11;
pub const MSLOT_BAD_NAME: mslot_outcome = 12;
pub const MSLOT_NOT_FOUND: mslot_outcome = 13;
pub const MSLOT_ALREADY_EXISTS: mslot_outcome = 14;
pub const MSLOT_TOO_MANY_WRITERS: mslot_outcome = 15;
pub const MSLOT_NO_PERMISSION: mslot_outcome = 16;
pub const MSLOT_UNTRUSTED: mslot_outcome = 17;
pub const MSLOT_NOT_A_MAILSLOT: mslot_outcome = 18;
pub const MSLOT_OTHER_LAYOUT: mslot_outcome = 19;
pub const MSLOT_MISMATCH: mslot_outcome = 20;
pub const MSLOT_NO_SPACE: mslot_outcome = 21;
pub const MSLOT_SYSTEM_ERROR: mslot_outcome = 22;
pub const MSLOT_NO_BRIDGE: mslot_outcome = 23;
pub const MSLOT_NO_SUCH_HOST: mslot_outcome = 24;
pub const MSLOT_NOT_ALLOWED: mslot_outcome = 25;
pub const MSLOT_NOT_OPEN: mslot_outcome = 26;

pub const MSLOT_FOREVER: i64 = i64::MAX;
pub const MSLOT_MESSAGE_BYTES_MAX: usize = 424;
pub const MSLOT_TRUST_NOBODY_ELSE: u32 = 0xffff_ffff;
pub const MSLOT_TRUST_ANYONE: u32 = 0xffff_fffe;

#[repr(C)]
pub struct mslot_reader {
    _private: [u8; 0],
}

#[repr(C)]
pub struct mslot_writer {
    _private: [u8; 0],
}

#[repr(C)]
#[derive(Clone)]
pub struct mslot_failure {
    pub outcome: mslot_outcome,
    pub system_error: i32,
    pub holder_pid: i32,
    pub holder_uid: u32,
    pub detail: u32,
    pub reserved: [u32; 8],
    pub words: [c_char; 404],
}

#[repr(C)]
pub struct mslot_create_options {
    pub size: u32,
    pub capacity: u32,
    pub writers: u32,
    pub message_bytes_max: u32,
    pub mode: u32,
    pub adopt: bool,
    pub allow_remote: bool,
    pub reserved: u16,
    pub read_timeout_ns: i64,
    pub lock_pages: bool,
    pub announces_death: bool,
    pub reserved_behind: [u8; 6],
    pub polling_ns: i64,
}

#[repr(C)]
pub struct mslot_created {
    pub reader: *mut mslot_reader,
    pub failure: mslot_failure,
    pub adopted: bool,
    pub unread_count: u32,
    pub reserved: [u8; 8],
}

#[repr(C)]
pub struct mslot_open_options {
    pub size: u32,
    pub trust_user: u32,
    pub wait_ns: i64,
    pub answer_ns: i64,
    pub wait_through_restarts: bool,
    pub populate: bool,
    pub reserved: [u8; 6],
    pub lock_pages: bool,
    pub leaves_express_lane: bool,
    pub reserved_behind: [u8; 6],
    pub interrupt: *mut u32,
    pub polling_ns: i64,
}

#[repr(C)]
pub struct mslot_opened {
    pub writer: *mut mslot_writer,
    pub failure: mslot_failure,
    pub reserved: [u64; 2],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct mslot_view {
    pub outcome: mslot_outcome,
    pub byte_count: u32,
    pub bytes: *const u8,
    pub position: u64,
    pub sender: u32,
    pub origin: u16,
}

#[repr(C)]
pub struct mslot_received {
    pub outcome: mslot_outcome,
    pub byte_count: u32,
    pub position: u64,
}

#[repr(C)]
pub struct mslot_loaned {
    pub outcome: mslot_outcome,
    pub bytes: *mut u8,
}

#[repr(C)]
pub struct mslot_wait {
    pub ended: Option<unsafe extern "C" fn(*mut mslot_wait)>,
    pub context: *mut c_void,
    pub timeout_ns: i64,
    pub never_polls: bool,
    pub was_full: bool,
    pub reserved: [u64; 2],
    /// The C core's own.
    private: [u64; PRIVATE_WORDS],
}

const PRIVATE_WORDS: usize = 15;

impl Default for mslot_wait {
    fn default() -> Self {
        // Sound: zeros are what C asks for, no callback, no pointer, false.
        unsafe { std::mem::zeroed() }
    }
}

extern "C" {
    pub fn mslot_version() -> *const c_char;
    pub fn mslot_failure_describe(failure: *const mslot_failure, name: *const c_char, text: *mut c_char, capacity: usize) -> usize;

    pub fn mslot_create(name: *const c_char, options: *const mslot_create_options) -> mslot_created;
    pub fn mslot_reader_read(reader: *mut mslot_reader, buffer: *mut c_void, capacity: usize, timeout_ns: i64) -> mslot_received;
    pub fn mslot_reader_peek(reader: *mut mslot_reader, timeout_ns: i64) -> mslot_view;
    pub fn mslot_reader_release(reader: *mut mslot_reader, count: usize) -> mslot_outcome;
    pub fn mslot_reader_interrupt(reader: *mut mslot_reader);
    pub fn mslot_reader_close(reader: *mut mslot_reader) -> mslot_outcome;
    pub fn mslot_reader_leave(reader: *mut mslot_reader) -> mslot_outcome;

    pub fn mslot_open(name: *const c_char, options: *const mslot_open_options) -> mslot_opened;
    pub fn mslot_writer_write(writer: *mut mslot_writer, bytes: *const c_void, byte_count: usize, timeout_ns: i64) -> mslot_outcome;
    pub fn mslot_writer_loan(writer: *mut mslot_writer) -> mslot_loaned;
    pub fn mslot_writer_publish(writer: *mut mslot_writer, byte_count: usize, timeout_ns: i64) -> mslot_outcome;
    pub fn mslot_writer_abandon(writer: *mut mslot_writer) -> mslot_outcome;
    pub fn mslot_writer_check_reader(writer: *mut mslot_writer) -> mslot_outcome;
    pub fn mslot_writer_sees_close(writer: *mut mslot_writer) -> bool;
    pub fn mslot_writer_interrupt(writer: *mut mslot_writer);
    pub fn mslot_writer_close(writer: *mut mslot_writer) -> mslot_outcome;

    pub fn mslot_reader_begin_wait(reader: *mut mslot_reader, wait: *mut mslot_wait) -> mslot_outcome;
    pub fn mslot_reader_end_wait(reader: *mut mslot_reader) -> mslot_outcome;
    pub fn mslot_wait_stop(wait: *mut mslot_wait);
    pub fn mslot_wait_signal_eventfd(wait: *mut mslot_wait);
    pub fn mslot_eventfd_create() -> c_int;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};

    extern "C" {
        static mailslots_sys_layout: [usize; 26];
    }

    #[test]
    fn the_structures_are_those_of_the_headers() {
        let ours = [
            size_of::<mslot_failure>(),
            offset_of!(mslot_failure, words),
            size_of::<mslot_create_options>(),
            offset_of!(mslot_create_options, read_timeout_ns),
            offset_of!(mslot_create_options, polling_ns),
            size_of::<mslot_created>(),
            offset_of!(mslot_created, failure),
            offset_of!(mslot_created, unread_count),
            size_of::<mslot_open_options>(),
            offset_of!(mslot_open_options, interrupt),
            offset_of!(mslot_open_options, polling_ns),
            size_of::<mslot_opened>(),
            offset_of!(mslot_opened, failure),
            size_of::<mslot_view>(),
            offset_of!(mslot_view, bytes),
            offset_of!(mslot_view, position),
            offset_of!(mslot_view, origin),
            size_of::<mslot_received>(),
            offset_of!(mslot_received, position),
            size_of::<mslot_loaned>(),
            offset_of!(mslot_loaned, bytes),
            size_of::<mslot_wait>(),
            offset_of!(mslot_wait, timeout_ns),
            offset_of!(mslot_wait, never_polls),
            offset_of!(mslot_wait, was_full),
            MSLOT_NOT_OPEN as usize,
        ];
        // Sound: layout.c has as many.
        assert_eq!(ours, unsafe { mailslots_sys_layout });
    }
}
