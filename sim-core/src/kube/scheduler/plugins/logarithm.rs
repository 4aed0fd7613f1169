//! Natural logarithm of whole numbers in fixed point.
//!
//! Upstream weighs topology domains with `ln(size + 2)` in floating point. A platform's `ln` may
//! differ in the last digit, so it is computed here in integers with 40 binary places; the error is
//! below 2^-39, and the scores are rounded to whole numbers afterwards.

/// Binary places of a result.
pub const PLACES: u32 = 40;
/// Binary places while computing.
const WORKING: u32 = 60;
/// ln 2 with [`WORKING`] places.
const LN_2: i128 = 799_144_290_325_165_979;

/// `ln(number)` with [`PLACES`] binary places. `number` is at least 1.
pub fn ln(number: u32) -> i64 {
    assert!(number >= 1, "ln is asked of counts only");
    let exponent = number.ilog2();
    let one = 1_i128 << WORKING;
    let mantissa = (i128::from(number) << WORKING) >> exponent;
    // ln m = 2 (z + z³/3 + z⁵/5 + …) with z = (m - 1) / (m + 1), which is below 1/3.
    let z = ((mantissa - one) << WORKING) / (mantissa + one);
    let square = (z * z) >> WORKING;
    let mut power = z;
    let mut sum = 0_i128;
    let mut divisor = 1;
    while power != 0 {
        sum += power / divisor;
        power = (power * square) >> WORKING;
        divisor += 2;
    }
    let ln = 2 * sum + i128::from(exponent) * LN_2;
    (ln >> (WORKING - PLACES)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_known_values() {
        // Ten decimals of ln n, from a table.
        let table: [(u32, i128); 6] = [
            (1, 0),
            (2, 6_931_471_806),
            (3, 10_986_122_887),
            (5, 16_094_379_124),
            (10, 23_025_850_930),
            (5002, 85_175_931_114),
        ];
        for (number, expected) in table {
            let decimals =
                (i128::from(ln(number)) * 10_000_000_000 + (1 << (PLACES - 1))) >> PLACES;
            assert!(
                (decimals - expected).abs() <= 1,
                "ln {number}: {decimals} != {expected}"
            );
        }
    }

    #[test]
    fn grows_with_its_argument() {
        assert!((1..20_000).all(|number| ln(number) < ln(number + 1)));
    }
}
