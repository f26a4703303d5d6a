use masker_core::Role;

/// A call of 60 turns with 40 values, one in every turn.
pub fn sixty_turns() -> Vec<(Role, String)> {
    (0..60)
        .map(|turn| {
            let value = turn % 40;
            if turn % 2 == 0 {
                (
                    Role::Assistant,
                    format!("thank you, and is person{value}@example.com right for the letter?"),
                )
            } else {
                (
                    Role::User,
                    format!("no, call me at 415-555-01{:02}, it's about the ten milligrams", value + 10),
                )
            }
        })
        .collect()
}
