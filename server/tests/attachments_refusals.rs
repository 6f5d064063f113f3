//! Calls about attachments that are not as they should be: each has its answer, and does nothing.

use crate::support::film::{self, Film};
use crate::support::{Signed, World, client};
use bytes::Bytes;
use connect_proto::routes::{self, CHUNK_CIPHERTEXT};
use connect_proto::wire;
use http_body_util::StreamBody;
use hyper::body::Frame;
use reqwest::Method;

#[tokio::test]
async fn what_cannot_be_is_refused_by_name() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let _bob = world.user("bob").await;
    let good = Film::new(1, 0, 9, &["bob"]).announcement();
    let many: Vec<String> = (0..1001).map(|n| format!("reader-{n}")).collect();
    let table = [
        (
            wire::CreateAttachment {
                attachment_id: vec![1; 15],
                ..good.clone()
            },
            400,
            "wrong_attachment_id",
        ),
        (
            wire::CreateAttachment {
                chunk_count: 2,
                ..good.clone()
            },
            422,
            "wrong_size",
        ),
        (
            wire::CreateAttachment {
                ciphertext_size: 15,
                ..good.clone()
            },
            422,
            "wrong_size",
        ),
        (
            wire::CreateAttachment {
                ciphertext_size: 1_000_000_000_000_000_000,
                chunk_count: 1,
                ..good.clone()
            },
            413,
            "too_large",
        ),
        (
            wire::CreateAttachment {
                reader_ids: many,
                ..good.clone()
            },
            413,
            "too_large",
        ),
        // As many as an envelope has recipients, with the longest ids that there are.
        (
            wire::CreateAttachment {
                reader_ids: (0..1000).map(|n| format!("{n:064}")).collect(),
                ..good.clone()
            },
            404,
            "unknown_recipient",
        ),
        (
            wire::CreateAttachment {
                reader_ids: vec!["noone".to_owned(), "nobody".to_owned()],
                ..good.clone()
            },
            404,
            "unknown_recipient",
        ),
    ];
    for (create, status, word) in table {
        let answer = film::create(&world, &alice, &create).await;
        assert!(answer.is(status, word), "{word}: {}", answer.word());
    }
    let answer = world.call(&alice, routes::ATTACHMENTS, b"\xff").await;
    assert!(answer.is(400, "malformed"));
}

#[tokio::test]
async fn a_path_that_names_no_chunk_finds_none() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let mut film = Film::new(0xab, 0, 9, &[]);
    film.upload(&world, &alice).await;
    let id = film.id.to_string();
    for below in [
        format!("{}/1", id.to_uppercase()),
        format!("{}/1", &id[2..]),
        format!("{id}ab/1"),
        format!("{id}/0"),
        format!("{id}/01"),
        format!("{id}/+1"),
        format!("{id}/%31"),
        format!("{id}/1/"),
        format!("{id}/4294967297"),
        format!("{id}/-1"),
        format!("{id}/one"),
    ] {
        let path = format!("{}/{below}", routes::ATTACHMENTS);
        for (method, body) in [(Method::GET, &b""[..]), (Method::PUT, &film.chunks[0])] {
            let answer = world.ask(&alice, method, &path, body).await;
            assert!(answer.is(404, "not_found"), "{below}: {}", answer.word());
        }
    }
    for path in [id.to_uppercase(), id[2..].to_owned()] {
        let path = format!("{}/{path}", routes::ATTACHMENTS);
        let answer = world.ask(&alice, Method::DELETE, &path, b"").await;
        assert!(answer.is(404, "not_found"));
    }
    // In the query, an index is none.
    film.id = "abababababababababababababababab".parse().unwrap();
    assert!(film.is_read_by(&world, &alice).await);
}

#[tokio::test]
async fn other_methods_are_not_served() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let film = Film::new(1, 0, 9, &[]);
    film.upload(&world, &alice).await;
    let (one, chunk) = (routes::attachment(&film.id), film.path(1));
    for (method, path) in [
        (Method::HEAD, chunk.as_str()),
        (Method::POST, &chunk),
        (Method::DELETE, &chunk),
        (Method::PATCH, &chunk),
        (Method::GET, &one),
        (Method::HEAD, &one),
        (Method::PUT, &one),
        (Method::GET, routes::ATTACHMENTS),
        (Method::PUT, routes::ATTACHMENTS),
    ] {
        let answer = world.ask(&alice, method.clone(), path, b"").await;
        assert_eq!(answer.status, 405, "{method} {path}");
    }
    assert!(film.is_read_by(&world, &alice).await);
}

#[tokio::test]
async fn every_call_is_signed_for_what_it_is_and_once() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let film = Film::new(1, 1, 9, &["bob"]);
    film.upload(&world, &alice).await;
    let calls = [
        (Method::POST, routes::ATTACHMENTS.to_owned(), &b""[..]),
        (Method::PUT, film.path(2), &film.chunks[1]),
        (Method::GET, film.path(2), b""),
        (Method::DELETE, routes::attachment(&film.id), b""),
    ];
    for (method, path, body) in &calls {
        let unauthenticated = async |signed: Signed| {
            let answer = world.ask_with(method.clone(), signed).await;
            assert!(
                answer.is(401, "unauthenticated"),
                "{method} {}",
                answer.word()
            );
        };
        let good = world.signed_with(&alice, method, path, body);
        let other_method = world.signed_with(&alice, &Method::PATCH, path, body);
        let other_path = world.signed_with(&alice, method, &film.path(1), body);
        let other_body = world.signed_with(&alice, method, path, b"other");
        let others = world.signed_with(&bob, method, path, body);
        for wrong in [
            other_method,
            Signed {
                path: path.clone(),
                ..other_path
            },
            Signed {
                body: body.to_vec(),
                ..other_body
            },
            Signed {
                user: "alice".to_owned(),
                ..others
            },
            Signed {
                signature: String::new(),
                ..good.clone()
            },
        ] {
            unauthenticated(wrong).await;
        }
        let unsigned = world
            .http
            .request(
                method.clone(),
                format!("https://{}{path}", world.authority()),
            )
            .body(body.to_vec());
        assert_eq!(unsigned.send().await.unwrap().status(), 401);
    }
    assert!(
        film.is_read_by(&world, &bob).await,
        "nothing of it did anything"
    );
    for (method, path, body) in calls {
        let good = world.signed_with(&alice, &method, &path, body);
        let first = world.ask_with(method.clone(), good.clone()).await;
        assert_ne!(first.status, 401, "{method}");
        // What is refused for what it says spends no nonce.
        if first.status.is_success() {
            let again = world.ask_with(method.clone(), good).await;
            assert!(again.is(401, "unauthenticated"), "{method}");
        }
    }
}

#[tokio::test]
async fn a_body_where_none_belongs_is_refused() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let film = Film::new(1, 0, 9, &[]);
    film.upload(&world, &alice).await;
    for (method, path) in [
        (Method::GET, film.path(1)),
        (Method::DELETE, routes::attachment(&film.id)),
    ] {
        let answer = world.ask(&alice, method, &path, b"x").await;
        assert!(answer.is(400, "malformed"));
    }
    assert!(film.is_read_by(&world, &alice).await);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_taken_and_bounded() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let film = Film::new(1, 1, 9, &[]);
    assert_eq!(film.create(&world, &alice).await.status, 204);
    let too_long = vec![1; CHUNK_CIPHERTEXT + 1];
    for alpn in [&b"http/1.1"[..], b"h2"] {
        let http = client(&world.dir, &[alpn]);
        for (body, status) in [(&film.chunks[0], 204), (&too_long, 422)] {
            let signed = world.signed_with(&alice, &Method::PUT, &film.path(1), body);
            let pieces: Vec<std::io::Result<_>> = body
                .chunks(50_000)
                .map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))))
                .collect();
            let pieces = StreamBody::new(futures_util::stream::iter(pieces));
            let answer = http
                .put(format!("https://{}{}", world.authority(), film.path(1)))
                .header(routes::HEADER_USER, signed.user)
                .header(routes::HEADER_SIGNATURE, signed.signature)
                .body(reqwest::Body::wrap(pieces))
                .send()
                .await;
            // Who is still sending may see the connection end before the answer.
            match answer {
                Ok(answer) => assert_eq!(answer.status(), status),
                Err(_) => assert_eq!(status, 422),
            }
        }
    }
    assert_eq!(film.get(&world, &alice, 1).await.body, film.chunks[0]);
}
