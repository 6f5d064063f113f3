//! The QR code that `connectctl trust show` draws, read off a terminal by an independent reader (D26).

use anyhow::Result;
use connect_api::trust::{Compare, CompareParams};
use connect_tests::binaries;
use connect_tests::screen::{Screen, are_here, on_a_terminal, scan};
use connect_tests::world::World;

/// Set by who runs the tests where the reader has to be there: in CI.
const MUST_BE_THERE: &str = "CONNECT_TESTS_NEED_ZBAR";
const NOT_TESTED: &str = "\nNOT TESTED: the QR code, since zbarimg or script are not here: apt-get install zbar-tools bsdutils\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_screenshot_of_the_qr_code_decodes_and_compares_true() -> Result<()> {
    if !are_here(&["zbarimg", "script"], MUST_BE_THERE)? {
        eprintln!("{NOT_TESTED}");
        return Ok(());
    }
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    bob.adds(&alice).await?;
    let connectctl = binaries::path("connectctl")?;
    let socket = bob.endpoint.path().display().to_string();
    let show = format!(
        "{} --socket {socket} trust show alice",
        connectctl.display()
    );
    let mut scanned = Vec::new();
    // In colours, and without any on a dark terminal.
    for environment in [&[][..], &[("NO_COLOR", "1")][..]] {
        let written = on_a_terminal(&show, environment)?;
        let picture = world.path().join("screen.pgm");
        Screen::of(&written)?.save(&picture)?;
        let qr = scan(&picture)?;
        assert_eq!(
            (qr.len(), qr.bytes().all(|byte| byte.is_ascii_digit())),
            (60, true)
        );
        // The digits stand below it.
        let digits: String = written.chars().filter(char::is_ascii_digit).collect();
        assert!(digits.contains(&qr), "{written}");
        scanned.push(qr);
    }
    assert_eq!(scanned[0], scanned[1]);
    let told = |qr: String| CompareParams {
        user_id: "bob".to_owned(),
        digits: None,
        qr: Some(qr),
    };
    let off = scanned[0].replacen(
        &scanned[0][..1],
        if scanned[0].starts_with('7') {
            "8"
        } else {
            "7"
        },
        1,
    );
    let compared = alice.client.call::<Compare>(told(off)).await?;
    assert!(!compared.verified);
    let compared = alice
        .client
        .call::<Compare>(told(scanned.remove(0)))
        .await?;
    assert!(compared.verified);
    Ok(())
}
