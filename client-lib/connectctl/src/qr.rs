//! QR codes on a terminal.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::output::Output;

/// Nothing where it does not fit into a code. With colours it is black on white whatever the terminal's are; without them
/// what is white is drawn, as most terminals are dark.
pub(crate) fn draw(out: &Output, content: &str) -> String {
    let Ok(code) = QrCode::new(content) else {
        return String::new();
    };
    let (dark, light) = if out.has_color() {
        (Dense1x2::Dark, Dense1x2::Light)
    } else {
        (Dense1x2::Light, Dense1x2::Dark)
    };
    let drawn = code
        .render::<Dense1x2>()
        .dark_color(dark)
        .light_color(light)
        .quiet_zone(true)
        .build();
    let lines = drawn.lines().map(|line| out.on_white(line));
    lines.map(|line| line + "\n").collect()
}
