//! What a chunk is called in the object store.

use object_store::path::Path;
use rand_core::{OsRng, RngCore as _};

const TOKEN_LEN: usize = 8;

/// An attachment inside the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AttachmentNumber(pub(crate) i64);

/// Tells two objects apart that were written for the same chunk.
pub(crate) type Token = [u8; TOKEN_LEN];

/// The object of one chunk: `shard/attachment/index-token`. Of people it says nothing, nor of the attachment's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) attachment: AttachmentNumber,
    pub(crate) index: u32,
    pub(crate) token: Token,
}

impl Name {
    /// Never the same twice: whoever loses a race removes its own object and nobody else's.
    pub(super) fn fresh(attachment: AttachmentNumber, index: u32) -> Self {
        let mut token = Token::default();
        OsRng.fill_bytes(&mut token);
        Self {
            attachment,
            index,
            token,
        }
    }

    pub(super) fn path(&self) -> Path {
        let number = self.attachment.0;
        let token = hex::encode(self.token);
        Path::from_iter([
            shard(self.attachment),
            number.to_string(),
            format!("{}-{token}", self.index),
        ])
    }

    /// None for what is not ours.
    pub(super) fn parse(path: &Path) -> Option<Self> {
        let mut parts = path.parts();
        let (_, number, file) = (parts.next()?, parts.next()?, parts.next()?);
        let (index, token) = file.as_ref().split_once('-')?;
        let mut name = Self {
            attachment: AttachmentNumber(number.as_ref().parse().ok()?),
            index: index.parse().ok()?,
            token: Token::default(),
        };
        hex::decode_to_slice(token, &mut name.token).ok()?;
        (name.path() == *path).then_some(name)
    }
}

/// One of 256 folders: each is listed at once.
fn shard(attachment: AttachmentNumber) -> String {
    format!("{:02x}", attachment.0.to_le_bytes()[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_from_its_path_and_from_no_other() {
        let name = Name::fresh(AttachmentNumber(0x1234), 7);
        let path = name.path();
        assert!(path.as_ref().starts_with("34/4660/7-"), "{path}");
        assert_eq!(Name::parse(&path), Some(name));
        let others = [
            "README".to_owned(),
            path.as_ref().replace("34/", "35/"),
            path.as_ref().replace("7-", "07-"),
            path.as_ref().replace("7-", "7-00"),
            format!("{path}/x"),
        ];
        for other in others {
            assert_eq!(Name::parse(&Path::from(other.as_str())), None, "{other}");
        }
        assert_ne!(name, Name::fresh(AttachmentNumber(0x1234), 7));
    }
}
