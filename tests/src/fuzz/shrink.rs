//! Makes an input that breaks something smaller while it still breaks.

/// Checks that a shrinking makes at most.
const CHECKS_MAX: u32 = 2_000;

/// The smallest input found for which `breaks` holds; it must hold for `input`.
pub fn shrink(input: &[u8], breaks: &mut dyn FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut best = input.to_vec();
    let mut checks = 0;
    let mut size = best.len().div_ceil(2);
    while size > 0 && checks < CHECKS_MAX {
        let mut at = 0;
        let mut smaller = false;
        while at < best.len() && checks < CHECKS_MAX {
            let end = best.len().min(at + size);
            let mut without = best[..at].to_vec();
            without.extend_from_slice(&best[end..]);
            checks += 1;
            if breaks(&without) {
                best = without;
                smaller = true;
            } else {
                at = end;
            }
        }
        if size == 1 && !smaller {
            break;
        }
        size = if size == 1 { 1 } else { size / 2 };
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matters_stays() {
        let text = b"some words [[ and more words ]] end";
        let small = shrink(text, &mut |input| {
            input.windows(2).any(|pair| pair == b"[[") && input.contains(&b']')
        });
        assert_eq!(small, b"[[]");
    }
}
