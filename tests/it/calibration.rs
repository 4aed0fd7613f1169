//! The model of the kernel's CPU sharing against what a real kernel was measured to do.

use serde_json::{Value, json};
use tests::calibration::{judge, report};

const MEASURED: &str = include_str!("../calibration/linux-cfs.json");

#[test]
fn the_model_agrees_with_a_real_kernel() {
    let verdicts = judge(MEASURED).expect("a calibration file");
    let (text, ok) = report(&verdicts);
    assert!(ok, "{text}");
    assert_eq!(verdicts.len(), 13);
}

/// Each judged figure alone, moved by more than its bound, is found out.
#[test]
fn a_measurement_that_is_off_is_reported() {
    let document: Value = serde_json::from_str(MEASURED).expect("JSON");
    let rows = document["rows"].as_array().expect("rows");
    for (row, number) in rows.iter().zip(0..) {
        let changes: Vec<(&str, f64, f64)> = match row["kind"].as_str() {
            Some("busy") => vec![
                ("/cpu_s", 1.05, 0.0),
                ("/nr_periods", 1.0, 2.0),
                ("/nr_throttled", 1.0, -2.0),
            ],
            Some("request") => vec![
                ("/latency_ms/min", 1.0, -8.0),
                ("/latency_ms/p90", 1.0, 8.0),
            ],
            _ => vec![("/groups/0/cpu_s", 0.9, 0.0)],
        };
        for (pointer, factor, offset) in changes {
            let mut one = row.clone();
            // A group of two shares is below what a short run resolves.
            if one.pointer("/groups/1/shares") == Some(&json!(2)) {
                continue;
            }
            let value = one.pointer_mut(pointer).expect("a judged figure");
            let moved = value.as_f64().expect("a number") * factor + offset;
            *value = json!(moved);
            let text = json!({ "rows": [one] }).to_string();
            let (text, ok) = report(&judge(&text).expect("a calibration file"));
            assert!(!ok, "row {number} {pointer}\n{text}");
        }
    }
}

#[test]
fn a_broken_file_is_refused_with_its_row() {
    assert!(judge("{").is_err());
    assert!(judge("{}").expect_err("no rows").contains("rows"));
    let wrong = [
        json!({"kind": "walk"}),
        json!({"kind": "busy", "wall_s": -1}),
        json!({"kind": "busy", "wall_s": 3, "threads": 1, "period_us": 0, "quota_us": 10000}),
        json!({"kind": "request", "n": 0, "interval_ms": 10}),
        json!({"kind": "shares", "wall_s": 4, "groups": []}),
    ];
    for row in wrong {
        let text = json!({ "rows": [row] }).to_string();
        assert!(judge(&text).expect_err("refused").starts_with("row 1: "));
    }
}
