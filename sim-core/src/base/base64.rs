//! Base64 (RFC 4648): the standard alphabet with padding, as Secrets are written, and the one for
//! URLs without it, as tokens are.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Standard, padded.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = with(bytes, STANDARD);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// For URLs, unpadded.
pub fn encode_url(bytes: &[u8]) -> String {
    with(bytes, URL)
}

fn with(bytes: &[u8], letters: &[u8; 64]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut bits = 0_u32;
        for at in 0..3 {
            bits = bits << 8 | u32::from(three.get(at).copied().unwrap_or(0));
        }
        for at in 0..=three.len() {
            let index = bits >> (18 - 6 * at) & 63;
            text.push(char::from(letters[index as usize]));
        }
    }
    text
}

/// The bytes of a text for URLs, unpadded.
///
/// # Errors
/// The position of the first letter that is none, or the length of a text that ends too early.
pub fn decode_url(text: &str) -> Result<Vec<u8>, usize> {
    without(text, URL)
}

/// The bytes of a standard, padded text.
///
/// # Errors
/// As [`decode_url`].
pub fn decode(text: &str) -> Result<Vec<u8>, usize> {
    without(text.trim_end_matches('='), STANDARD)
}

fn without(text: &str, letters: &[u8; 64]) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for (at, letter) in text.bytes().enumerate() {
        let index = letters
            .iter()
            .position(|known| *known == letter)
            .ok_or(at)?;
        bits = bits << 6 | u32::try_from(index).unwrap_or(0);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 255).unwrap_or(0));
        }
    }
    if count >= 6 {
        return Err(text.len());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_rfc() {
        for (plain, written) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes()), written);
            assert_eq!(
                decode_url(written.trim_end_matches('=')).as_deref(),
                Ok(plain.as_bytes())
            );
        }
        assert_eq!(encode_url(&[251, 255]), "-_8");
        assert_eq!(decode_url("ab!c"), Err(2));
        assert_eq!(decode_url("abcde"), Err(5));
    }
}
