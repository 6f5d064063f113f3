//! Which attachment and which chunk a path names: as `proto` writes it, and in no other spelling.

use connect_proto::ids::AttachmentId;
use connect_proto::routes;

/// What follows `/api/v1/attachments/` in the paths of the router.
pub(super) const ONE: &str = "/api/v1/attachments/{id}";
pub(super) const CHUNK: &str = "/api/v1/attachments/{id}/{index}";

pub(super) fn attachment(path: &str) -> Option<AttachmentId> {
    let id = below(path)?.parse().ok()?;
    (routes::attachment(&id) == path).then_some(id)
}

pub(super) fn chunk(path: &str) -> Option<(AttachmentId, u32)> {
    let (id, index) = below(path)?.split_once('/')?;
    let (id, index) = (id.parse().ok()?, index.parse().ok()?);
    (routes::chunk(&id, index) == path).then_some((id, index))
}

fn below(path: &str) -> Option<&str> {
    path.strip_prefix(routes::ATTACHMENTS)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "000102030405060708090a0b0c0d0e0f";

    #[test]
    fn a_path_has_one_spelling() {
        let id: AttachmentId = ID.parse().unwrap();
        let at = |rest: &str| format!("{}/{rest}", routes::ATTACHMENTS);
        assert_eq!(attachment(&at(ID)), Some(id));
        assert_eq!(chunk(&at(&format!("{ID}/12"))), Some((id, 12)));
        for wrong in [
            ID.to_uppercase(),
            ID[1..].to_owned(),
            format!("{ID}00"),
            ID.replace("0a", "%30a"),
            format!("{ID}/"),
            String::new(),
        ] {
            assert_eq!(attachment(&at(&wrong)), None, "{wrong}");
        }
        for wrong in [
            "",
            "01",
            "+1",
            "-1",
            "1/",
            "1 ",
            "%31",
            "4294967296",
            "x",
            "1/2",
        ] {
            assert_eq!(chunk(&at(&format!("{ID}/{wrong}"))), None, "{wrong}");
        }
    }
}
