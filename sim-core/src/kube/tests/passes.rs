//! Passes over sets of pods that are left out, since they would do nothing.

use super::{Bench, Item, deployment, update};
use crate::base::time::SimDuration;
use crate::kube::event::{Event, Key};

#[test]
fn a_pass_over_a_set_is_an_event_only_where_it_does_something() {
    let mut bench = Bench::new(3);
    let (mut passes, mut idle) = (0, 0);
    bench.create(&deployment(10, "nginx")).unwrap();
    for image in ["nginx", "nginx:2"] {
        update(&mut bench, |web| {
            let path = ["spec", "template", "spec", "containers", "0", "image"];
            web.set_path(&path, image.into())
        })
        .unwrap();
        while let Some(((at, _), item)) = bench.queue.pop_first() {
            bench.now = at;
            let revision = bench.plane.store.revision();
            let waiting = bench.queue.len();
            bench.step(item);
            if matches!(item, Item::Plane(Event::Sync(Key::ReplicaSet(_)))) {
                passes += 1;
                let acted = bench.plane.store.revision() > revision || bench.queue.len() > waiting;
                idle += u32::from(!acted);
            }
        }
        assert_eq!(bench.plane.unmet(), 0);
    }
    // The Deployment controller's writes to a set have it looked at whatever they say.
    assert!(
        passes > 10 && idle < 2,
        "{idle} of {passes} passes did nothing"
    );
}

/// Looks at every set that is said to need no pass, and lets one be made.
fn pass_where_none_is_needed(bench: &mut Bench) -> usize {
    let sets: Vec<_> = bench.plane.store.replica_sets().map(|(id, _)| id).collect();
    let mut looked_at = 0;
    for id in sets {
        let before = (bench.plane.store.revision(), bench.queue.len());
        looked_at += bench.with(|parts, turn| {
            let row = turn.store.replica_set(id).expect("it was listed");
            let works = row.creating + row.deleting_pods > 0;
            if works || !parts.controllers.would_change_nothing(id, true, turn) {
                return 0;
            }
            let event = Event::Sync(Key::ReplicaSet(id));
            parts
                .controllers
                .handle(event, parts.heartbeats, parts.apiserver, turn);
            1
        });
        let after = (bench.plane.store.revision(), bench.queue.len());
        assert_eq!(
            after, before,
            "at {:?} a pass was needed after all",
            bench.now
        );
    }
    looked_at
}

#[test]
fn a_pass_that_is_left_out_would_have_done_nothing() {
    let mut bench = Bench::new(4);
    let mut looked_at = 0;
    bench.create(&deployment(10, "nginx")).unwrap();
    let acts: [&dyn Fn(&mut Bench); 6] = [
        &|_| {},
        &|bench| {
            update(bench, |web| {
                let path = ["spec", "template", "spec", "containers", "0", "image"];
                web.set_path(&path, "nginx:2".into())
            })
            .unwrap();
        },
        &|bench| {
            update(bench, |web| {
                web.set_path(&["spec", "replicas"], 4_i64.into())
            })
            .unwrap();
        },
        &|bench| {
            update(bench, |web| {
                web.set_path(&["spec", "minReadySeconds"], 20_i64.into())
            })
            .unwrap();
        },
        &|bench| bench.crash(0),
        &|bench| bench.boot(0),
    ];
    for act in acts {
        act(&mut bench);
        let until = bench.now + SimDuration::from_secs(400);
        while let Some((&(at, number), &item)) = bench
            .queue
            .first_key_value()
            .filter(|((at, _), _)| *at <= until)
        {
            bench.queue.remove(&(at, number));
            bench.now = at;
            bench.step(item);
            looked_at += pass_where_none_is_needed(&mut bench);
        }
        bench.now = until;
    }
    assert!(looked_at > 100, "{looked_at} passes were looked at");
}
