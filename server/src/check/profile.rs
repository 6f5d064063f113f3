//! What a profile may contain.

use connect_proto::{routes, wire};

use crate::refusal::Wrong;

/// Fields that can be shown on one line, of bounded length. Which of them a client asks for is the client's affair.
pub(crate) fn check(profile: Option<wire::Profile>) -> Result<wire::Profile, Wrong> {
    let profile = profile.unwrap_or_default();
    let fields = [
        &profile.display_name,
        &profile.profession,
        &profile.organisation,
    ];
    let fits = |field: &&String| {
        field.len() <= routes::MAX_PROFILE_FIELD && !field.chars().any(char::is_control)
    };
    if !fields.iter().all(fits) {
        return Err(Wrong::Profile);
    }
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(display_name: &str) -> wire::Profile {
        wire::Profile {
            display_name: display_name.to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn fields_fit_on_one_line_or_are_empty() {
        for right in ["Dr. Ä. Müller", ""] {
            assert!(check(Some(named(right))).is_ok(), "{right:?}");
        }
        assert_eq!(check(None), Ok(wire::Profile::default()));
        for wrong in ["a\nb", "a\u{7f}", &"a".repeat(257)] {
            assert_eq!(check(Some(named(wrong))), Err(Wrong::Profile), "{wrong:?}");
        }
    }
}
