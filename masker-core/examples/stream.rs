//! Text that comes in parts: a speech recogniser's results on the way in, a model's reply on the way out.
//!
//! `cargo run -p masker-core --example stream`
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use masker_core::{Masker, Role};

fn main() -> Result<(), masker_core::Error> {
    let conversation = Masker::new()?.conversation("call 18");

    let mut heard = conversation.stream_masker(Role::User);
    // Partial results are shown and taken back; nothing of them is remembered.
    for partial in ["my number", "my number is four one five", "my number is 415-555-0142"] {
        println!("partial:       {}", heard.interim(partial)?);
    }
    // A final result is pushed, in parts of any size.
    let mut masked = heard.push("my number is 415-")?;
    masked += &heard.push("555-0142")?;
    masked += &heard.finish()?.text;
    println!("to the model:  {masked}");

    let token = masked.trim_start_matches("my number is ");
    let reply = format!("I will call {token} today.");
    let mut spoken = conversation.stream_rehydrator();
    let mut said = String::new();
    for part in reply.as_bytes().chunks(7).map(String::from_utf8_lossy) {
        let ready = spoken.push(&part)?;
        println!("to the caller: {ready:?}, {} bytes held", spoken.held());
        said += &ready;
    }
    let (rest, dangling) = spoken.flush()?;
    said += &rest;
    assert_eq!(dangling.bytes, 0);
    assert_eq!(said, "I will call 415-555-0142 today.");
    Ok(())
}
