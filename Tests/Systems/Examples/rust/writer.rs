//! Writes its arguments to a mailslot, a message each.
//!
//!     cargo run --example writer orders hello quit

use std::time::Duration;

use mailslots::WriterOptions;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("usage: writer NAME TEXT...")?;
    let wait = Some(Duration::from_secs(10)); // the reader may start later
    let mut orders = WriterOptions::new().wait(wait).open(&name)?;
    for text in arguments {
        orders.write(text.as_bytes(), None)?;
    }
    Ok(())
}
