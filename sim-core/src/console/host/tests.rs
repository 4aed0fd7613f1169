//! Transcripts: what machines and containers show of themselves.

use expect_test::{Expect, expect};

use crate::base::rng::Seed;
use crate::console::Session;
use crate::console::open::{Experiment, open};

/// A session with two workers and one pod that has requests and limits.
fn session() -> Session {
    let mut experiment = Experiment::new(Seed(3));
    experiment.nodes = 2;
    let mut session = open(&experiment).expect("a plain experiment").session;
    let pod = r#"kubectl create -f - <<'X'
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  nodeName: worker-1
  containers:
  - name: web
    image: nginx
    ports: [{containerPort: 80}]
    resources: {requests: {cpu: 250m, memory: 64Mi}, limits: {cpu: 500m, memory: 128Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, nodePort: 30080}]}
X
"#;
    assert_eq!(session.run(pod).code, 0);
    session.run("sim until phase pod/web Running within 1m");
    session.run("sim advance 5s");
    session
}

fn check(lines: &[&str], expected: Expect) {
    let mut session = session();
    let mut text = String::new();
    for line in lines {
        let output = session.run(line);
        text.push_str(&format!("$ {line}\n{}{}", &*output.stdout, &*output.stderr));
        if output.code != 0 {
            text.push_str(&format!("[{}]\n", output.code));
        }
    }
    expected.assert_eq(&text);
}

#[test]
fn control_groups_are_read_and_written() {
    check(
        &[
            "kubectl exec web -- cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu.weight /sys/fs/cgroup/memory.max /proc/self/cgroup /proc/1/oom_score_adj",
            "kubectl exec web -- sh -c 'echo 1 > /sys/fs/cgroup/cpu.weight'",
            "host worker-1 cat /sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod*.slice/cpu.weight",
            "host worker-1 cat /sys/fs/cgroup/kubepods.slice/memory.max /sys/fs/cgroup/nothing",
            "host worker-1 sh -c 'echo 20000 > /sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/cpu.max'",
            "echo 5 > /dev/null",
            "host worker-1 cat /sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/cpu.max",
            "host worker-1 sh -c 'echo lots > /sys/fs/cgroup/kubepods.slice/memory.max'",
            "host worker-1 sh -c 'echo 1 > /sys/fs/cgroup/kubepods.slice/memory.current'",
            "host worker-1 sh -c 'echo 1 > /sys/fs/cgroup/kubepods.slice/nothing'",
            "host worker-1 cat /sys/fs/cgroup",
        ],
        expect![[r#"
            $ kubectl exec web -- cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu.weight /sys/fs/cgroup/memory.max /proc/self/cgroup /proc/1/oom_score_adj
            50000 100000
            35
            134217728
            0::/
            993
            $ kubectl exec web -- sh -c 'echo 1 > /sys/fs/cgroup/cpu.weight'
            sh: 1: cannot create /sys/fs/cgroup/cpu.weight: Read-only file system
            command terminated with exit code 2
            [2]
            $ host worker-1 cat /sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod*.slice/cpu.weight
            10
            $ host worker-1 cat /sys/fs/cgroup/kubepods.slice/memory.max /sys/fs/cgroup/nothing
            8589934592
            cat: /sys/fs/cgroup/nothing: No such file or directory
            [1]
            $ host worker-1 sh -c 'echo 20000 > /sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/cpu.max'
            $ echo 5 > /dev/null
            $ host worker-1 cat /sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/cpu.max
            20000 100000
            $ host worker-1 sh -c 'echo lots > /sys/fs/cgroup/kubepods.slice/memory.max'
            sh: 1: echo: echo: I/O error: /sys/fs/cgroup/kubepods.slice/memory.max: Invalid argument
            [1]
            $ host worker-1 sh -c 'echo 1 > /sys/fs/cgroup/kubepods.slice/memory.current'
            sh: 1: echo: echo: I/O error: /sys/fs/cgroup/kubepods.slice/memory.current: Permission denied
            [1]
            $ host worker-1 sh -c 'echo 1 > /sys/fs/cgroup/kubepods.slice/nothing'
            sh: 1: cannot create /sys/fs/cgroup/kubepods.slice/nothing: Permission denied
            [2]
            $ host worker-1 cat /sys/fs/cgroup
            cat: /sys/fs/cgroup: Is a directory
            [1]
        "#]],
    );
}

#[test]
fn processes_and_namespaces_are_seen_from_both_sides() {
    check(
        &[
            "kubectl exec web -- ps",
            "kubectl exec web -- hostname",
            "kubectl exec web -- id",
            "host worker-1 ps -eo pid,ppid,comm",
            "host worker-1 lsns -t pid",
            "kubectl exec web -- readlink /proc/1/ns/time",
            "host worker-1 readlink /proc/1/ns/time",
            "kubectl exec web -- cat /proc/1/status | grep Cap",
            "host worker-2 cat /proc/99999/status",
        ],
        expect![[r#"
            $ kubectl exec web -- ps
            PID   USER   TIME   COMMAND
            1     root   0:00   nginx: master process nginx -g daemon off;
            7     root   0:00   nginx: worker process
            13    root   0:00   nginx: worker process
            19    root   0:00   nginx: worker process
            25    root   0:00   nginx: worker process
            $ kubectl exec web -- hostname
            web
            $ kubectl exec web -- id
            uid=0(root) gid=0(root) groups=0(root)
            $ host worker-1 ps -eo pid,ppid,comm
            PID       PPID   COMMAND
            1         0      init
            2         0      [kthreadd]
            700       1      containerd
            711       1      kubelet
            722       1      kube-proxy
            2002      1      containerd-shim
            2003      2002   pause
            2010      2002   nginx: master p
            1000001   2010   nginx
            1000002   2010   nginx
            1000003   2010   nginx
            1000004   2010   nginx
            $ host worker-1 lsns -t pid
            NS           TYPE   NPROCS   PID    USER    COMMAND
            4026531836   pid    6        1      root    /sbin/init
            4026532212   pid    1        2003   65535   /pause
            4026532244   pid    5        2010   root    nginx: master process nginx -g daemon off;
            $ kubectl exec web -- readlink /proc/1/ns/time
            time:[4026531834]
            $ host worker-1 readlink /proc/1/ns/time
            time:[4026531834]
            $ kubectl exec web -- cat /proc/1/status | grep Cap
            CapInh:	0000000000000000
            CapPrm:	00000000a80425fb
            CapEff:	00000000a80425fb
            CapBnd:	00000000a80425fb
            CapAmb:	0000000000000000
            $ host worker-2 cat /proc/99999/status
            cat: /proc/99999/status: No such file or directory
            [1]
        "#]],
    );
}

#[test]
fn networks_and_rules_are_shown() {
    check(
        &[
            "kubectl exec web -- ip -br addr",
            "kubectl exec web -- ip route",
            "host worker-1 ip -br addr",
            "host worker-1 iptables -t nat -S KUBE-NODEPORTS",
            "sim packet from outside to worker-1:30080",
            "sim packet from worker-2 to web:81",
            "kubectl exec web -- cat /etc/resolv.conf",
            "kubectl exec web -- nslookup web",
            "kubectl exec web -- nslookup nobody",
        ],
        expect![[r#"
            $ kubectl exec web -- ip -br addr
            lo               UNKNOWN        127.0.0.1/8
            eth0@if40        UP             10.244.1.2/24
            $ kubectl exec web -- ip route
            default via 10.244.1.1 dev eth0
            10.244.1.0/24 dev eth0 proto kernel scope link src 10.244.1.2
            $ host worker-1 ip -br addr
            lo               UNKNOWN        127.0.0.1/8
            eth0             UP             192.168.0.3/16
            cni0             UP             10.244.1.1/24
            veth8b10578@if2  UP
            $ host worker-1 iptables -t nat -S KUBE-NODEPORTS
            -N KUBE-NODEPORTS
            -A KUBE-NODEPORTS -p tcp -m comment --comment "default/web" -m tcp --dport 30080 -j KUBE-EXT-LOLE4ISW44XBNF3G
            $ sim packet from outside to worker-1:30080
            packet 203.0.113.2:* -> 192.168.0.3:30080/tcp from a user outside
            hop worker-1: in by eth0
              nat: -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
              nat: -A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
              nat: -A KUBE-NODEPORTS -p tcp -m comment --comment "default/web" -m tcp --dport 30080 -j KUBE-EXT-LOLE4ISW44XBNF3G
              nat: -A KUBE-EXT-LOLE4ISW44XBNF3G -m comment --comment "masquerade traffic for default/web external destinations" -j KUBE-MARK-MASQ
              nat: -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
              nat: -A KUBE-EXT-LOLE4ISW44XBNF3G -j KUBE-SVC-LOLE4ISW44XBNF3G
              nat: -A KUBE-SVC-LOLE4ISW44XBNF3G -m comment --comment "default/web -> 10.244.1.2:80" -j KUBE-SEP-MQ4W7Q2CV67URU6Q
              nat: -A KUBE-SEP-MQ4W7Q2CV67URU6Q -p tcp -m comment --comment "default/web" -m tcp -j DNAT --to-destination 10.244.1.2:80
              filter: -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
              filter: -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
              filter: -A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
              nat: -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
              nat: -A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
              nat: -A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
            => 10.244.1.2:80 on worker-1 by cni0 -> veth8b10578; MASQUERADE: source 192.168.0.3; accepted
            $ sim packet from worker-2 to web:81
            packet 192.168.0.4:* -> 10.110.19.128:81/tcp from machine worker-2
            hop worker-2: made on the machine
              nat: -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
              filter: -A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
              filter: -A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
              filter: -A OUTPUT -j KUBE-FIREWALL
              nat: -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
              nat: -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
            => 10.110.19.128:81; source 192.168.0.4; leaves by eth0: no machine of this world has the address
            [1]
            $ kubectl exec web -- cat /etc/resolv.conf
            search default.svc.cluster.local svc.cluster.local cluster.local
            nameserver 10.96.0.10
            options ndots:5
            $ kubectl exec web -- nslookup web
            Server:		10.96.0.10
            Address:	10.96.0.10#53

            Name:	web.default.svc.cluster.local
            Address: 10.110.19.128

            $ kubectl exec web -- nslookup nobody
            Server:		10.96.0.10
            Address:	10.96.0.10#53

            ** server can't find nobody: NXDOMAIN

            command terminated with exit code 1
            [1]
        "#]],
    );
}

#[test]
fn memory_runs_out_as_in_the_kernel() {
    check(
        &[
            "sim fault memory-leak pod/web rate=20Mi",
            "sim advance 5s",
            "kubectl exec web -- cat /sys/fs/cgroup/memory.current",
            "sim advance 3s",
            "kubectl get pod web -o jsonpath={.status.containerStatuses[0].lastState.terminated.reason}/{.status.containerStatuses[0].lastState.terminated.exitCode}",
            "host worker-1 cat /sys/fs/cgroup/kubepods.slice/memory.events | grep oom_kill",
            "sim fault disk-fill worker-1 size=50Gi",
            "host worker-1 df -h / | grep sda1",
        ],
        expect![[r#"
            $ sim fault memory-leak pod/web rate=20Mi
            fault 0
            $ sim advance 5s
            $ kubectl exec web -- cat /sys/fs/cgroup/memory.current
            108527616
            $ sim advance 3s
            $ kubectl get pod web -o jsonpath={.status.containerStatuses[0].lastState.terminated.reason}/{.status.containerStatuses[0].lastState.terminated.exitCode}
            OOMKilled/137$ host worker-1 cat /sys/fs/cgroup/kubepods.slice/memory.events | grep oom_kill
            oom_kill 1
            $ sim fault disk-fill worker-1 size=50Gi
            fault 1
            $ host worker-1 df -h / | grep sda1
            /dev/sda1    100G   56G    43G     57%    /
        "#]],
    );
}
