//! A call with aliases: the history is resent every turn, the model garbles an alias, the process stops in between.
//!
//! `cargo run -p masker-core --example conversation`
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use masker_core::{Conversation, Masker, Policy, Role};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let default = Policy::preset_source("healthcare-default").ok_or("the preset is built in")?;
    let policy = Policy::from_yaml(&format!("{default}\nsurface: alias\n"))?;
    let masker = Masker::builder().policy(policy).build()?;

    let conversation = masker.conversation("call 17");
    let mut history = vec![
        (Role::System, conversation.system_hint().to_owned()),
        (Role::User, "this is sarah chen, my number is 415-555-0142".to_owned()),
    ];
    for message in conversation.mask_history(&history)? {
        println!("to the model:  {}", message.text);
    }

    // Models do not always copy faithfully.
    let answer = conversation.rehydrate("Thank you, [name 1]. Shall I call `PHONE_1`?")?;
    println!("to the caller: {}", answer.text);
    assert_eq!(answer.text, "Thank you, sarah chen. Shall I call `415-555-0142`?");
    history.push((Role::Assistant, answer.text));

    // The process stops; another takes the call up.
    let bytes = conversation.to_bytes()?;
    let conversation = Conversation::from_bytes(&masker, &bytes)?;
    history.push((Role::User, "yes, or say [PHONE_1] yourself".to_owned()));
    let masked = conversation.mask_history(&history)?;
    println!("to the model:  {}", masked[2].text);
    println!("to the model:  {}", masked[3].text);
    assert_eq!(masked[2].text, "Thank you, [NAME_1]. Shall I call `[PHONE_1]`?");
    assert_eq!(masked[3].text, "yes, or say [REDACTED:PHONE] yourself");
    Ok(())
}
