//! Enrollment codes (D28): `user/secret`, so that whoever types the code need not know the user id.

use std::fmt;
use std::str::FromStr;

use rand_core::CryptoRngCore;

use crate::hash::{Digest, sha256};
use crate::ids::{MalformedId, UserId};

const SECRET_BITS: usize = 128;
/// Crockford's base 32: no letter that is easily read as another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUP: usize = 5;

/// A code that an operator issued. It is in no `Debug` output.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrollmentCode {
    user_id: UserId,
    secret: [u8; SECRET_BITS / 8],
}

impl EnrollmentCode {
    pub fn generate(user_id: UserId, rng: &mut impl CryptoRngCore) -> Self {
        let mut secret = [0; SECRET_BITS / 8];
        rng.fill_bytes(&mut secret);
        Self { user_id, secret }
    }

    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// What the relay keeps in the code's stead.
    pub fn digest(&self) -> Digest {
        let bound = [
            b"connect/enrollment-code/v1\0".as_slice(),
            self.user_id.as_str().as_bytes(),
            b"\0",
            &self.secret,
        ];
        sha256(&bound.concat())
    }

    /// The code as it is handed out: `alice/0A1B2-C3D4E-…`.
    pub fn expose(&self) -> String {
        let number = u128::from_be_bytes(self.secret);
        let mut text = format!("{}/", self.user_id);
        let digits = SECRET_BITS.div_ceil(5);
        for place in 0..digits {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            let shift = 5 * (digits - 1 - place);
            let digit = usize::try_from((number >> shift) & 31).expect("less than 32");
            text.push(char::from(ALPHABET[digit]));
        }
        text
    }
}

impl FromStr for EnrollmentCode {
    type Err = MalformedId;

    /// Lower case, missing dashes, and `O`, `I`, `L` in place of digits are forgiven.
    fn from_str(text: &str) -> Result<Self, MalformedId> {
        const MALFORMED: MalformedId = MalformedId("enrollment code");
        let (user_id, secret) = text.trim().split_once('/').ok_or(MALFORMED)?;
        let user_id = user_id.parse().map_err(|_| MALFORMED)?;
        let mut number: u128 = 0;
        let mut digits = 0;
        for letter in secret.bytes().filter(|b| *b != b'-') {
            let letter = match letter.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            let digit = ALPHABET
                .iter()
                .position(|a| *a == letter)
                .ok_or(MALFORMED)?;
            digits += 1;
            if digits == 1 && digit > 7 {
                return Err(MALFORMED);
            }
            number = (number << 5) | digit as u128;
        }
        if digits != SECRET_BITS.div_ceil(5) {
            return Err(MALFORMED);
        }
        Ok(Self {
            user_id,
            secret: number.to_be_bytes(),
        })
    }
}

impl fmt::Debug for EnrollmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrollmentCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn a_code_survives_being_typed() {
        for seed in 0..100 {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let code = EnrollmentCode::generate("dr.alice".parse().unwrap(), &mut rng);
            let text = code.expose();
            assert_eq!(text.parse(), Ok(code.clone()));
            let (user, secret) = text.split_once('/').unwrap();
            let sloppy = format!(" {user}/{} ", secret.to_lowercase().replace('-', ""));
            assert_eq!(sloppy.parse(), Ok(code));
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for wrong in [
            "",
            "alice",
            "alice/",
            "alice/0A1B2",
            "/01234-01234-01234-01234-01234-0",
            "alice/Z1234-01234-01234-01234-01234-0",
            "alice/01234-01234-01234-01234-01234-00",
            "alice/0123!-01234-01234-01234-01234-0",
        ] {
            assert!(wrong.parse::<EnrollmentCode>().is_err(), "{wrong}");
        }
    }
}
