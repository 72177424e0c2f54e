use std::io;

use crate::{Error, Reader, Writer, MAX_MESSAGE_SIZE};

/// `io::Read` over a mailslot: the bytes of its messages, one behind the other, up to an empty message, which is the end.
pub struct MessageStream<'a> {
    reader: &'a mut Reader,
    message: Vec<u8>,
    taken: usize,
    is_over: bool,
}

impl<'a> MessageStream<'a> {
    /// A stream of what comes next.
    pub fn new(reader: &'a mut Reader) -> Self {
        Self { reader, message: Vec::new(), taken: 0, is_over: false }
    }
}

impl io::Read for MessageStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.message.len() && !self.is_over && !buffer.is_empty() {
            // It waits for ever, so there is one.
            self.message = self.reader.read(None)?.unwrap_or_default();
            self.taken = 0;
            self.is_over = self.message.is_empty();
        }
        let left = &self.message[self.taken..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.taken += count;
        Ok(count)
    }
}

/// `io::Write` over a mailslot: each write is a message of 424 bytes at most. It waits for room. Say where the stream ends: `finish`.
pub struct MessageSink<'a> {
    writer: &'a mut Writer,
}

impl<'a> MessageSink<'a> {
    /// A stream of messages.
    pub fn new(writer: &'a mut Writer) -> Self {
        Self { writer }
    }

    /// Writes the empty message that is the end of a [`MessageStream`].
    pub fn finish(self) -> Result<(), Error> {
        self.writer.write(b"", None).map(drop)
    }
}

impl io::Write for MessageSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(MAX_MESSAGE_SIZE);
        // An empty message would be the end.
        if count > 0 {
            self.writer.write(&bytes[..count], None)?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
