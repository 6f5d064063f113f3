//! The calls about attachments, and what is made of the relay's answers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[expect(dead_code, reason = "the other tests use the rest of it")]
mod support;

use bytes::Bytes;
use connect_proto::ids::AttachmentId;
use connect_proto::routes::CHUNK_CIPHERTEXT;
use connect_proto::{codec, wire};
use connect_uplink::attachments::AttachmentOutcome;
use connect_uplink::error::UplinkError;
use support::{Answer, Daemon, Identity, NOW, Relay, address, answer, authority, pin, rng};

const ID: AttachmentId = AttachmentId::from_bytes([0xab; 16]);
const PATH: &str = "/api/v1/attachments/abababababababababababababababab";

async fn scene(answers: impl IntoIterator<Item = Answer>) -> (Relay, Daemon) {
    let (identity, authority) = (Identity::new(), authority());
    let relay = Relay::start(&identity, &authority, answers).await;
    let pins = [identity.pin(), pin(&[9; 32])];
    let daemon = Daemon::new(&address(&relay.url(), &pins, &authority));
    (relay, daemon)
}

fn announcement() -> wire::CreateAttachment {
    wire::CreateAttachment {
        attachment_id: ID.to_vec(),
        ciphertext_size: 20,
        chunk_count: 1,
        reader_ids: vec!["bob".to_owned()],
    }
}

#[tokio::test]
async fn each_call_is_signed_with_its_method_its_path_and_its_body() {
    let chunk = Bytes::from(vec![7; CHUNK_CIPHERTEXT]);
    // Whichever success it is: the text names none.
    let (relay, daemon) = scene([
        answer(201, &[], b""),
        answer(200, &[], b""),
        answer(200, &[], &chunk),
        answer(204, &[], b""),
    ])
    .await;
    let (uplink, credentials, mut rng) = (&daemon.uplink, daemon.credentials(), rng());
    let create = announcement();
    let done = Ok(AttachmentOutcome::Done);
    let created = uplink.create_attachment(credentials, NOW, &mut rng, &create);
    assert_eq!(created.await, done);
    let put = uplink.put_chunk(credentials, NOW, &mut rng, ID, 12, chunk.clone());
    assert_eq!(put.await, done);
    let got = uplink.get_chunk(credentials, NOW, &mut rng, ID, 12).await;
    assert_eq!(got.unwrap().unwrap(), chunk);
    let deleted = uplink.delete_attachment(credentials, NOW, &mut rng, ID);
    assert_eq!(deleted.await, done);

    let expected = [
        (
            "POST",
            "/api/v1/attachments".to_owned(),
            codec::encode(&create),
        ),
        ("PUT", format!("{PATH}/12"), chunk.to_vec()),
        ("GET", format!("{PATH}/12"), Vec::new()),
        ("DELETE", PATH.to_owned(), Vec::new()),
    ];
    let requests = relay.requests();
    assert_eq!(requests.len(), expected.len());
    let mut nonces = Vec::new();
    for (request, (method, path, body)) in requests.iter().zip(expected) {
        assert_eq!((&request.path, &request.body), (&path, &body));
        nonces.push(request.verified_as(method, &relay.authority(), NOW).0);
    }
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), 4, "a nonce for each");
    let kind = requests[1].header("content-type");
    assert_eq!(kind, Some("application/octet-stream"));
}

#[tokio::test]
async fn every_answer_has_its_outcome() {
    type Expected = Result<AttachmentOutcome, UplinkError>;
    let limited = Err(UplinkError::RateLimited {
        retry_after_ms: 2_000,
    });
    let full = |retry_after_ms| Ok(AttachmentOutcome::QuotaFull { retry_after_ms });
    let table: [(u16, Option<&str>, Expected); 13] = [
        (409, None, Ok(AttachmentOutcome::Conflict)),
        (404, None, Ok(AttachmentOutcome::NotFound)),
        (413, None, Ok(AttachmentOutcome::TooLarge)),
        (507, None, full(None)),
        (507, Some("30"), full(Some(30_000))),
        (400, None, Ok(AttachmentOutcome::Refused)),
        (422, None, Ok(AttachmentOutcome::Refused)),
        (429, Some("2"), limited),
        (503, Some("2"), limited),
        (503, None, Err(UplinkError::Unreachable)),
        (408, None, Err(UplinkError::Unreachable)),
        (401, None, Err(UplinkError::Unauthorized)),
        (418, None, Ok(AttachmentOutcome::Odd(418))),
    ];
    for (status, retry_after, expected) in table {
        let headers: Vec<_> = retry_after
            .map(|after| ("retry-after", after))
            .into_iter()
            .collect();
        let (_relay, daemon) = scene((0..3).map(|_| answer(status, &headers, b""))).await;
        let (uplink, credentials, mut rng) = (&daemon.uplink, daemon.credentials(), rng());
        let create = announcement();
        let created = uplink.create_attachment(credentials, NOW, &mut rng, &create);
        let of_creation = match expected {
            Ok(AttachmentOutcome::NotFound) => Ok(AttachmentOutcome::UnknownReader),
            other => other,
        };
        assert_eq!(created.await, of_creation, "{status}");
        let chunk = Bytes::from_static(b"x");
        let put = uplink.put_chunk(credentials, NOW, &mut rng, ID, 1, chunk);
        assert_eq!(put.await, expected, "{status}");
        let deleted = uplink.delete_attachment(credentials, NOW, &mut rng, ID);
        assert_eq!(deleted.await, expected, "{status}");
    }
}

#[tokio::test]
async fn a_chunk_is_there_or_not_and_is_never_longer_than_one() {
    let too_long = vec![7; CHUNK_CIPHERTEXT + 1];
    let (_relay, daemon) = scene([
        answer(404, &[], b"not_found"),
        answer(200, &[], b""),
        answer(429, &[("retry-after", "1")], b""),
        answer(500, &[], b""),
        answer(403, &[], b""),
        answer(200, &[], &too_long),
        Answer::Endless,
    ])
    .await;
    let (uplink, credentials, mut rng) = (&daemon.uplink, daemon.credentials(), rng());
    let limited = UplinkError::RateLimited {
        retry_after_ms: 1_000,
    };
    for expected in [
        Ok(None),
        Ok(Some(Bytes::new())),
        Err(limited),
        Err(UplinkError::Unreachable),
        Err(UplinkError::Refused(403)),
        Err(UplinkError::BadAnswer),
        Err(UplinkError::BadAnswer),
    ] {
        let got = uplink.get_chunk(credentials, NOW, &mut rng, ID, 1).await;
        assert_eq!(got, expected);
    }
}
