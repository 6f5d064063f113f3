//! What a profile may contain.

use connect_proto::{routes, wire};

use crate::refusal::Wrong;

/// A name that can be shown on one line, and fields of bounded length.
pub(crate) fn check(profile: Option<wire::Profile>) -> Result<wire::Profile, Wrong> {
    let profile = profile.ok_or(Wrong::Profile)?;
    let fields = [
        &profile.display_name,
        &profile.profession,
        &profile.organisation,
    ];
    let fits = |field: &&String| {
        field.len() <= routes::MAX_PROFILE_FIELD && !field.chars().any(char::is_control)
    };
    if profile.display_name.trim().is_empty() || !fields.iter().all(fits) {
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
    fn a_name_is_needed_and_the_rest_may_be_empty() {
        assert!(check(Some(named("Dr. Ä. Müller"))).is_ok());
        for wrong in ["", "  ", "a\nb", "a\u{7f}", &"a".repeat(257)] {
            assert_eq!(check(Some(named(wrong))), Err(Wrong::Profile), "{wrong:?}");
        }
        assert_eq!(check(None), Err(Wrong::Profile));
    }
}
