//! Lines come out whole or not at all, and never take more memory than allowed.

use std::pin::Pin;
use std::task::{Context, Poll};

use connect_ipc::frames::{FrameError, FrameReader, write_frame};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf, duplex};

const MAX: usize = 64;

/// Every line, and how it ended.
async fn read_all(input: &[u8], max: usize) -> (Vec<String>, Result<(), FrameError>) {
    let mut reader = FrameReader::new(input, max);
    let mut lines = Vec::new();
    loop {
        match reader.next().await {
            Ok(Some(line)) => lines.push(line.to_owned()),
            Ok(None) => return (lines, Ok(())),
            Err(error) => return (lines, Err(error)),
        }
    }
}

#[tokio::test]
async fn lines_come_without_their_ends() {
    let (lines, end) = read_all(b"one\ntwo\r\n\nth\rree\n", MAX).await;
    assert_eq!(lines, ["one", "two", "", "th\rree"]);
    assert!(end.is_ok());
}

#[tokio::test]
async fn an_end_in_the_middle_of_a_line_is_the_end() {
    let (lines, end) = read_all(b"whole\nhalf", MAX).await;
    assert_eq!(lines, ["whole"]);
    assert!(end.is_ok());
}

#[tokio::test]
async fn a_line_below_and_at_the_limit_passes_and_one_above_does_not() {
    for (len, end, passes) in [
        (MAX - 1, "\n", true),
        (MAX, "\n", true),
        (MAX, "\r\n", true),
        (MAX + 1, "\n", false),
        (MAX + 1, "\r\n", false),
        (MAX + 2, "\n", false),
    ] {
        let input = format!("{}{end}after\n", "x".repeat(len));
        let (lines, result) = read_all(input.as_bytes(), MAX).await;
        assert_eq!(lines.len(), if passes { 2 } else { 0 }, "{len} {end:?}");
        assert_eq!(
            matches!(result, Err(FrameError::TooLarge)),
            !passes,
            "{len} {end:?}"
        );
    }
}

#[tokio::test]
async fn a_line_that_is_not_utf8_is_told_and_the_next_one_is_read() {
    let input: &[u8] = b"\xff\xfe\nfine\n";
    let mut reader = FrameReader::new(input, MAX);
    assert!(matches!(reader.next().await, Err(FrameError::NotUtf8)));
    assert_eq!(reader.next().await.unwrap(), Some("fine"));
}

/// Gives one byte a read.
struct Dripping<'a>(&'a [u8]);

impl AsyncRead for Dripping<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if let Some((first, rest)) = self.0.split_first() {
            buf.put_slice(&[*first]);
            self.0 = rest;
        }
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_line_split_across_reads_is_whole() {
    let mut reader = FrameReader::new(Dripping("grüß dich\r\nzwei\n".as_bytes()), MAX);
    assert_eq!(reader.next().await.unwrap(), Some("grüß dich"));
    assert_eq!(reader.next().await.unwrap(), Some("zwei"));
    assert_eq!(reader.next().await.unwrap(), None);
}

/// Never ends a line, and counts what was taken from it.
struct Endless(usize);

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.0 += buf.remaining();
        buf.initialize_unfilled().fill(b'x');
        buf.set_filled(buf.capacity());
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn an_endless_line_is_refused_once_the_limit_is_read() {
    let max = 1024 * 1024;
    let mut reader = FrameReader::new(Endless(0), max);
    assert!(matches!(reader.next().await, Err(FrameError::TooLarge)));
    // Asking again takes nothing more.
    assert!(matches!(reader.next().await, Err(FrameError::TooLarge)));
    let (source, rest) = reader.into_parts();
    assert!(source.0 <= max + 2, "{} bytes were taken", source.0);
    assert!(rest.len() <= max + 2);
}

#[tokio::test]
async fn lines_after_a_long_one_are_whole() {
    let long = "x".repeat(300_000);
    let input = format!("a\n{long}\nb\n{long}\nc\n");
    let (lines, end) = read_all(input.as_bytes(), 300_000).await;
    assert_eq!(lines, ["a", &long, "b", &long, "c"]);
    assert!(end.is_ok());
}

#[tokio::test]
async fn a_cancelled_read_loses_nothing() {
    let (mut near, far) = duplex(256);
    let mut reader = FrameReader::new(far, MAX);
    near.write_all(b"first ha").await.unwrap();
    tokio::select! {
        biased;
        line = reader.next() => panic!("there is no line yet: {line:?}"),
        () = std::future::ready(()) => {}
    }
    near.write_all(b"lf\nsecond\n").await.unwrap();
    assert_eq!(reader.next().await.unwrap(), Some("first half"));
    assert!(reader.has_next());
    assert_eq!(reader.next().await.unwrap(), Some("second"));
    assert!(!reader.has_next());
}

#[tokio::test]
async fn bytes_behind_a_line_are_handed_over() {
    let input: &[u8] = b"ticket\nraw bytes";
    let mut reader = FrameReader::new(input, MAX);
    assert_eq!(reader.next().await.unwrap(), Some("ticket"));
    let (_, rest) = reader.into_parts();
    assert_eq!(rest, b"raw bytes");
}

#[tokio::test]
async fn what_is_written_is_read_also_through_a_narrow_pipe() {
    let (mut near, far) = duplex(7);
    let long = "y".repeat(5000);
    let lines = ["", "one", &long];
    let write = async {
        for line in lines {
            write_frame(&mut near, line).await.unwrap();
        }
    };
    let read = async {
        let mut reader = FrameReader::new(far, 5000);
        for line in lines {
            assert_eq!(reader.next().await.unwrap(), Some(line));
        }
    };
    tokio::join!(write, read);
}
