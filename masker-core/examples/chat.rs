//! Masks a chat request on its way to a model, and restores the tool call in the reply.
//!
//! `cargo run -p masker-core --example chat`
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use masker_core::Masker;

fn main() -> Result<(), masker_core::Error> {
    let masker = Masker::new()?;
    let request = r#"{"model": "m", "messages": [{"role": "user", "content": "Call me at 415-555-0142"}]}"#;
    let masked = masker.mask_chat(request)?;
    println!("{}", masked.json);
    for event in &masked.events {
        println!("{} {}", event.path, event.event.kind);
    }

    let token = masker.mask("415-555-0142")?.text;
    let reply = format!(
        r#"{{"choices": [{{"message": {{"tool_calls": [{{"function": {{"arguments": "{{\"to\": \"{token}\"}}"}}}}]}}}}]}}"#
    );
    println!("{}", masker.rehydrate_chat(&reply)?.json);
    Ok(())
}
