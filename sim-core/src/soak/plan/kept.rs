//! What Kubernetes keeps and protects in a plan: budgets over applications, and applications with
//! volumes of their own that one node at a time may use.
//!
//! Drawn from a stream of its own, so that the rest of a seed's plan does not depend on it; said in
//! kubectl's words only, so that the other orchestrators' runs do not either.

use crate::base::ratio::Ratio;
use crate::base::rng::{Seed, Stream};
use crate::base::time::{SimDuration, SimTime};

use super::app::{App, Mode};

/// Names of the workloads with volumes.
const SINGLE: &str = "deployment/disk";
const SET: &str = "statefulset/disks";

/// More manifests, and more lines of the script.
pub(super) struct Kept {
    pub(super) manifests: String,
    pub(super) lines: Vec<(SimTime, String)>,
}

impl Kept {
    pub(super) fn draw(seed: Seed, nodes: u32, apps: &[App], end: SimTime) -> Self {
        let mut draw = Stream::new(seed, "soak.kept", 0, 0);
        let mut manifests = String::new();
        for app in apps.iter().filter(|app| app.mode == Mode::Replicated) {
            if draw.chance(Ratio::percent(40)) {
                manifests.push_str(&budget(app, &mut draw));
            }
        }
        let mut workloads = Vec::new();
        if draw.chance(Ratio::percent(40)) {
            manifests.push_str(&single());
            workloads.push(SINGLE);
        }
        if draw.chance(Ratio::percent(40)) {
            let replicas = 1 + draw.below(3);
            manifests.push_str(&set(replicas));
            workloads.push(SET);
        }
        let mut lines = Vec::new();
        for _ in 0..draw.below(5) {
            let at = draw.between(5_000_000, end.as_micros().max(5_000_001));
            let node = format!("worker-{}", 1 + draw.below(nodes));
            let workload = match workloads.len() as u32 {
                0 => None,
                count => Some(workloads[draw.below(count) as usize]),
            };
            let replicas = draw.below(4);
            let line = match (draw.below(5), workload) {
                // Asks once for every pod; the budgets refuse some.
                (0 | 1, _) | (_, None) => {
                    format!(
                        "kubectl drain {node} --force --ignore-daemonsets --delete-emptydir-data"
                    )
                }
                (2, Some(workload)) => format!("kubectl rollout restart {workload}"),
                // What the user does who does not wait: the volume is still where it was.
                (3, Some(workload)) => {
                    let label = workload.rsplit('/').next().unwrap_or(workload);
                    format!("kubectl delete pods -l app={label} --force --grace-period=0")
                }
                // A claim that one node may use serves one pod.
                (_, Some(SINGLE)) => {
                    format!("kubectl scale {SINGLE} --replicas={}", replicas.min(1))
                }
                (_, Some(workload)) => format!("kubectl scale {workload} --replicas={replicas}"),
            };
            lines.push((SimTime::ZERO + SimDuration::from_micros(at), line));
        }
        // Drawn last, from a stream of its own: what is above stays what it was.
        let mut draw = Stream::new(seed, "soak.counted", 0, 0);
        if draw.chance(Ratio::percent(50)) {
            manifests.push_str(COUNTED);
            for number in 0..draw.below(4) {
                let at = draw.between(5_000_000, end.as_micros().max(5_000_001));
                let line = format!(
                    "kubectl create quota later-{number} --hard=pods=900 --scopes={}",
                    ["BestEffort", "NotBestEffort", "Terminating",][draw.below(3) as usize]
                );
                lines.push((SimTime::ZERO + SimDuration::from_micros(at), line));
            }
        }
        Self { manifests, lines }
    }
}

/// Quotas that hold nothing up, and an object whose owner is not there: what is kept of both is
/// compared with what is counted anew.
const COUNTED: &str = "apiVersion: v1
kind: ResourceQuota
metadata: {name: wide}
spec: {hard: {pods: 900, count/pods: 900, requests.ephemeral-storage: 900Gi, count/configmaps: 900}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: stray
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: nobody, uid: 00000000-0000-4000-8000-000000000000}]
---
";

fn budget(app: &App, draw: &mut Stream) -> String {
    let rule = match draw.below(3) {
        0 => "maxUnavailable: 1".to_owned(),
        1 => "maxUnavailable: 50%".to_owned(),
        _ => format!("minAvailable: {}", app.replicas.saturating_sub(1)),
    };
    format!(
        "apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: {name}}}
spec:
  {rule}
  selector: {{matchLabels: {{app: {name}}}}}
---
",
        name = app.name
    )
}

fn single() -> String {
    "apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: disk}
spec:
  strategy: {type: Recreate}
  selector: {matchLabels: {app: disk}}
  template:
    metadata: {labels: {app: disk}}
    spec:
      containers:
      - name: main
        image: redis:7
        resources: {requests: {cpu: 50m, memory: 32Mi}}
        volumeMounts: [{name: data, mountPath: /data}]
      volumes:
      - name: data
        persistentVolumeClaim: {claimName: disk}
---
"
    .to_owned()
}

fn set(replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: disks}}
spec:
  replicas: {replicas}
  serviceName: disks
  selector: {{matchLabels: {{app: disks}}}}
  template:
    metadata: {{labels: {{app: disks}}}}
    spec:
      containers:
      - name: main
        image: redis:7
        resources: {{requests: {{cpu: 50m, memory: 32Mi}}}}
        volumeMounts: [{{name: data, mountPath: /data}}]
  volumeClaimTemplates:
  - metadata: {{name: data}}
    spec:
      accessModes: [ReadWriteOnce]
      resources: {{requests: {{storage: 1Gi}}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: disks}}
spec:
  maxUnavailable: 1
  selector: {{matchLabels: {{app: disks}}}}
---
"
    )
}
