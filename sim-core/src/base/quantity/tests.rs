use super::*;

fn shown(text: &str) -> String {
    Quantity::parse(text).map_or_else(|error| format!("error: {error}"), |q| q.to_string())
}

#[test]
fn canonical_texts_are_upstreams() {
    let cases = [
        ("0", "0"),
        ("0.25", "250m"),
        ("2.5", "2500m"),
        ("2.5Gi", "2560Mi"),
        ("2048Mi", "2Gi"),
        ("3000m", "3"),
        ("3072Ki", "3Mi"),
        ("7000k", "7M"),
        ("0.25Mi", "256Ki"),
        ("0.002T", "2G"),
        (".003Ki", "3072m"),
        ("0.1Gi", "107374182400m"),
        ("16Ei", "9223372036854775807"),
        ("0.3n", "1n"),
        (".000000000002Ki", "3n"),
        ("70.5k", "70500"),
        ("0.250", "250m"),
        ("4.5e3", "4500"),
        ("1000E", "1e21"),
        ("-0.5", "-500m"),
        ("-2048Mi", "-2Gi"),
        ("-0.3n", "-1n"),
        ("1023.5Ki", "1048064"),
        ("512", "512"),
        ("1E3", "1e3"),
        ("1E", "1E"),
        ("00100m", "100m"),
    ];
    for (text, expected) in cases {
        let quantity = Quantity::parse(text).expect(text);
        assert_eq!(quantity.canonical(), expected, "{text}");
    }
}

#[test]
fn a_text_that_passes_for_canonical_is_kept() {
    for kept in [
        "2.250", "12.345k", "+7", "3.", "2e6", "1027Mi", "500m", "1E3", "100m",
    ] {
        assert_eq!(shown(kept), kept);
    }
    let rendered = [
        ("70.5k", "70500"),
        ("0.250", "250m"),
        ("4096Mi", "4Gi"),
        ("1.000", "1"),
        ("5000", "5k"),
    ];
    for (text, expected) in rendered {
        assert_eq!(shown(text), expected);
    }
    // Kept in its own notation until arithmetic touches it.
    let mut sum = Quantity::parse("2.250").unwrap();
    sum.add(&Quantity::from_milli(0));
    assert_eq!(sum.to_string(), "2250m");
}

#[test]
fn bad_texts_are_refused_in_upstreams_words() {
    let format = "error: quantities must match the regular expression \
                  '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    let suffix = "error: unable to parse quantity's suffix";
    let numeric = "error: unable to parse numeric part of quantity";
    for text in ["", "a", " 1", "1 ", "1B", "B", "1.2.3", "1Gi2x"] {
        assert_eq!(shown(text), format, "{text}");
    }
    for text in [
        "1K", "1mi", "1i", "1e", "1GiB", "1k5", "1Mi5", "1ee5", "1E+", "--1",
    ] {
        let expected = if text == "1GiB" { format } else { suffix };
        assert_eq!(shown(text), expected, "{text}");
    }
    for text in ["Pi", ".Pi"] {
        assert_eq!(shown(text), numeric, "{text}");
    }
    assert_eq!(
        shown("1e40"),
        "error: quantities above 10^29 are not modelled"
    );
    assert_eq!(shown("1e-9223372036854775808"), "1e-9");
    assert_eq!(
        shown("1e9223372036854775807"),
        "error: quantities above 10^29 are not modelled"
    );
    for zero in [".", "+", "-", "0.0", "0Ki", "0e9223372036854775807"] {
        assert_eq!(shown(zero), "0", "{zero}");
    }
}

#[test]
fn value_and_milli_value_round_away_from_zero() {
    let cases = [
        ("2.3", 3, 2_300),
        ("0.7Gi", 751_619_277, 751_619_276_800),
        ("100.5m", 1, 101),
        ("1n", 1, 1),
        ("-1.5", -2, -1_500),
        ("500m", 1, 500),
        ("1E", 1_000_000_000_000_000_000, i64::MAX),
        ("1000E", i64::MAX, i64::MAX),
    ];
    for (text, value, milli) in cases {
        let quantity = Quantity::parse(text).unwrap();
        assert_eq!(
            (quantity.value(), quantity.milli_value()),
            (value, milli),
            "{text}"
        );
    }
    let milli = |text: &str| {
        Quantity::parse(text)
            .unwrap()
            .rounded_to_milli()
            .to_string()
    };
    assert_eq!(milli("0.0001"), "1m");
    assert_eq!(milli("0.9n"), "1m");
    assert_eq!(milli("2.250"), "2.250");
}

#[test]
fn the_first_notation_that_is_not_zero_wins_a_sum() {
    let sum = |left: &str, right: &str| {
        let mut sum = Quantity::parse(left).unwrap();
        sum.add(&Quantity::parse(right).unwrap());
        sum.to_string()
    };
    assert_eq!(sum("1Gi", "1024M"), "2048576Ki");
    assert_eq!(sum("1Gi", "1Gi"), "2Gi");
    assert_eq!(sum("0", "1Gi"), "1Gi");
    assert_eq!(sum("1M", "1Mi"), "2048576");
    let mut product = Quantity::parse("250m").unwrap();
    product.mul(4);
    assert_eq!(product.to_string(), "1");
    product.sub(&Quantity::parse("1500m").unwrap());
    assert_eq!(product.to_string(), "-500m");
}

#[test]
fn whatever_is_read_reads_back_as_the_same_amount() {
    arbtest::arbtest(|u| {
        const SUFFIXES: [&str; 18] = [
            "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
            "e3", "E-2",
        ];
        let sign = u.choose(&["", "-", "+"])?;
        let whole: u32 = u.arbitrary()?;
        let fraction: u16 = u.arbitrary()?;
        let point = if u.arbitrary()? {
            format!(".{fraction}")
        } else {
            String::new()
        };
        let text = format!("{sign}{whole}{point}{}", u.choose(&SUFFIXES)?);
        let read = Quantity::parse(&text).expect(&text);
        let shown = read.to_string();
        assert_eq!(
            Quantity::parse(&shown).as_ref(),
            Ok(&read),
            "{text} -> {shown}"
        );
        let canonical = read.canonical();
        let again = Quantity::parse(&canonical).unwrap();
        assert_eq!(again, read, "{text} -> {canonical}");
        assert_eq!(again.canonical(), canonical, "{text}");
        Ok(())
    });
}

#[test]
fn any_text_is_read_or_refused() {
    arbtest::arbtest(|u| {
        let alphabet = b"0019.+-eEinumkKMGTP x";
        let length = u.int_in_range(0..=30)?;
        let mut text = String::new();
        for _ in 0..length {
            text.push(char::from(*u.choose(alphabet)?));
        }
        if let Ok(quantity) = Quantity::parse(&text) {
            assert_eq!(
                Quantity::parse(&quantity.canonical()),
                Ok(quantity),
                "{text}"
            );
        }
        Ok(())
    });
}
