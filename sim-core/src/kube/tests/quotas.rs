//! What quotas count of pods is kept, and is what counting anew finds.

use super::{Bench, deployment, update};
use crate::base::time::SimDuration;
use crate::kube::Request;
use crate::kube::controllers::quota;
use crate::manifest::value::Value;

fn quota_named(bench: &mut Bench, name: &str, spec: &str) {
    let object = format!(
        r#"{{"apiVersion":"v1","kind":"ResourceQuota","metadata":{{"name":"{name}"}},"spec":{spec}}}"#
    );
    bench.create(&object).unwrap();
}

fn follow(bench: &mut Bench, seconds: u64) {
    let until = bench.now + SimDuration::from_secs(seconds);
    while let Some((&(at, number), &item)) = bench.queue.first_key_value()
        && at <= until
    {
        bench.queue.remove(&(at, number));
        bench.now = at;
        bench.step(item);
        let store = &bench.plane.store;
        assert!(store.tallies_agree(), "the counts at {at:?}");
        assert!(
            quota::sums_agree(store, &bench.symbols),
            "the sums at {at:?}"
        );
    }
    bench.now = until;
}

fn used(bench: &Bench, name: &str, resource: &str) -> String {
    let quota = bench.get("resourcequota", name);
    quota
        .str_at(&["status", "used", resource])
        .unwrap()
        .to_owned()
}

#[test]
fn sums_follow_pods_and_quotas() {
    let mut bench = Bench::new(3);
    quota_named(
        &mut bench,
        "all",
        r#"{"hard":{"pods":"12","requests.cpu":"2"}}"#,
    );
    let ends = r#"{"hard":{"pods":"12"},"scopes":["Terminating"]}"#;
    quota_named(&mut bench, "ends", ends);
    let small = deployment(10, "nginx").replace(
        r#""image":"nginx""#,
        r#""image":"nginx","resources":{"requests":{"cpu":"100m"}}"#,
    );
    bench.create(&small).unwrap();
    follow(&mut bench, 20);
    let counts = |bench: &Bench| ["all", "ends"].map(|name| used(bench, name, "pods"));
    assert_eq!(counts(&bench), ["10", "0"]);
    assert_eq!(used(&bench, "all", "requests.cpu"), "1");

    let path = ["spec", "template", "spec", "activeDeadlineSeconds"];
    update(&mut bench, |web| web.set_path(&path, 3_600_i64.into())).unwrap_err();
    let replicas = ["spec", "replicas"];
    update(&mut bench, |web| web.set_path(&replicas, 4_i64.into())).unwrap();
    follow(&mut bench, 20);
    assert_eq!(counts(&bench), ["4", "0"]);

    let pod = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"short"},"spec":{"activeDeadlineSeconds":9,
        "containers":[{"name":"c","image":"nginx","resources":{"requests":{"cpu":"1"}}}]}}"#;
    bench.create(pod).unwrap();
    follow(&mut bench, 5);
    assert_eq!(counts(&bench), ["5", "1"]);
    assert_eq!(used(&bench, "all", "requests.cpu"), "1400m");

    // Other scopes are other sums.
    let mut quota = bench.get("resourcequota", "ends");
    let scopes = Value::list(vec!["NotTerminating".into()]);
    quota.set_path(&["spec", "scopes"], scopes);
    let namespace = "default".into();
    let _ = bench.request(&Request::Update {
        object: quota,
        namespace,
    });
    bench.crash(0);
    follow(&mut bench, 400);
    bench.boot(0);
    follow(&mut bench, 60);
    assert_eq!(used(&bench, "all", "pods"), "5");
}
