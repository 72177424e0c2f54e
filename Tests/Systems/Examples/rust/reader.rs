//! Prints the messages of a mailslot until one says "quit".
//!
//!     cargo run --example reader orders

use mailslots::Reader;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("usage: reader NAME")?;
    let mut orders = Reader::create(&name)?;
    while let Some(message) = orders.read(None)? {
        println!("{}", String::from_utf8_lossy(&message));
        if message == b"quit" {
            break;
        }
    }
    Ok(())
}
