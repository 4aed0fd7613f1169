use expect_test::expect;

use crate::base::rng::Seed;
use crate::console::{Session, lab};
use crate::engine::command::Orchestrator;
use crate::engine::history::History;

mod obstacles;

fn session() -> Session {
    let lab = lab(&[Orchestrator::Kubernetes], Seed(1));
    let mut session = Session::new(History::new(lab));
    for line in [
        "sim node add cp-1",
        "sim node add w-1",
        "sim node add w-2",
        "sim advance 60s",
    ] {
        let output = session.run(line);
        assert_eq!(output.code, 0, "{line}: {}", &*output.stderr);
    }
    session
}

/// A transcript of lines with what they print.
fn transcript(session: &mut Session, lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        let output = session.run(line);
        text.push_str(&format!("$ {line}\n{}{}", &*output.stdout, &*output.stderr));
        if output.code != 0 {
            text.push_str(&format!("[{}]\n", output.code));
        }
    }
    text
}

#[test]
fn a_deployment_is_made_scaled_and_deleted() {
    let mut session = session();
    let text = transcript(
        &mut session,
        &[
            "kubectl create deployment web --image=nginx:1.27 --replicas=2",
            "kubectl rollout status deploy/web",
            "kubectl get deploy,rs",
            "kubectl scale deploy web --replicas=3",
            "kubectl wait --for=condition=Available deploy/web --timeout=60s",
            "kubectl get deploy web -o jsonpath={.status.replicas}",
            "kubectl delete deploy web",
            "kubectl get deploy",
        ],
    );
    expect![[r#"
        $ kubectl create deployment web --image=nginx:1.27 --replicas=2
        deployment.apps/web created
        $ kubectl rollout status deploy/web
        Waiting for deployment spec update to be observed...
        Waiting for deployment "web" rollout to finish: 0 out of 2 new replicas have been updated...
        Waiting for deployment "web" rollout to finish: 0 of 2 updated replicas are available...
        Waiting for deployment "web" rollout to finish: 1 of 2 updated replicas are available...
        deployment "web" successfully rolled out
        $ kubectl get deploy,rs
        NAME                  READY   UP-TO-DATE   AVAILABLE   AGE
        deployment.apps/web   2/2     2            2           4s

        NAME                             DESIRED   CURRENT   READY   AGE
        replicaset.apps/web-785b6fcd58   2         2         2       4s
        $ kubectl scale deploy web --replicas=3
        deployment.apps/web scaled
        $ kubectl wait --for=condition=Available deploy/web --timeout=60s
        deployment.apps/web condition met
        $ kubectl get deploy web -o jsonpath={.status.replicas}
        3$ kubectl delete deploy web
        deployment.apps "web" deleted from default namespace
        $ kubectl get deploy
        No resources found in default namespace.
    "#]]
    .assert_eq(&text);
}

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: nginx
        image: nginx:1.27
        ports: [{containerPort: 80}]
        readinessProbe: {httpGet: {port: 80}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
";

#[test]
fn applying_twice_changes_nothing_and_mistakes_are_named() {
    let mut session = session();
    session.files.insert("web.yaml".to_owned(), WEB.into());
    session
        .files
        .insert("web2.yaml".to_owned(), WEB.replace("1.27", "1.28").into());
    session.files.insert(
        "bad.yaml".to_owned(),
        WEB.replace("replicas: 2", "replica: 2")
            .replace(
                "name: web}\nspec:\n  selector",
                "name: other}\nspec:\n  selector",
            )
            .into(),
    );
    let text = transcript(
        &mut session,
        &[
            "kubectl apply -f web.yaml",
            "kubectl apply -f web.yaml",
            "kubectl rollout status deploy/web",
            "kubectl get svc,ep,endpointslices",
            "kubectl get pods -o wide",
            "kubectl apply -f web2.yaml",
            "kubectl rollout status deploy/web",
            "kubectl rollout history deploy/web",
            "kubectl rollout undo deploy/web",
            "kubectl apply -f bad.yaml",
            "kubectl apply -f none.yaml",
            "kubectl get deploy,rs -o wide",
            "kubectl set image deploy/web nope=x",
            "kubectl get pod x",
            "kubectl get foo",
            "kubectl get pods --bogus",
            "kubectl gett pods",
            "kubectl scale deploy web --replicas=-1",
            "kubectl delete pod x",
            "kubectl label deploy web tier=front",
            "kubectl label deploy web tier=back",
            "kubectl patch deploy web -p '{\"spec\":{\"replicas\":2}}'",
            "kubectl get nodes -o wide",
            "kubectl cordon w-1",
            "kubectl get nodes",
        ],
    );
    expect![[r#"
        $ kubectl apply -f web.yaml
        deployment.apps/web created
        service/web created
        $ kubectl apply -f web.yaml
        deployment.apps/web unchanged
        service/web unchanged
        $ kubectl rollout status deploy/web
        Waiting for deployment spec update to be observed...
        Waiting for deployment "web" rollout to finish: 0 out of 2 new replicas have been updated...
        Waiting for deployment "web" rollout to finish: 0 of 2 updated replicas are available...
        Waiting for deployment "web" rollout to finish: 1 of 2 updated replicas are available...
        deployment "web" successfully rolled out
        $ kubectl get svc,ep,endpointslices
        NAME                 TYPE        CLUSTER-IP     EXTERNAL-IP   PORT(S)   AGE
        service/kubernetes   ClusterIP   10.96.0.1      <none>        443/TCP   64s
        service/web          ClusterIP   10.96.174.85   <none>        80/TCP    4s

        NAME                   ENDPOINTS          AGE
        endpoints/kubernetes   192.168.0.1:6443   64s
        endpoints/web          10.244.1.2:80      4s

        NAME                                        ADDRESSTYPE   PORTS   ENDPOINTS     AGE
        endpointslice.discovery.k8s.io/kubernetes   IPv4          6443    192.168.0.1   64s
        endpointslice.discovery.k8s.io/web-s58jv    IPv4          80      10.244.1.2    4s
        Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice
        $ kubectl get pods -o wide
        NAME                   READY   STATUS    RESTARTS   AGE   IP           NODE   NOMINATED NODE   READINESS GATES
        web-68568d6459-27lt9   1/1     Running   0          4s    10.244.1.2   w-1    <none>           <none>
        web-68568d6459-chtrx   1/1     Running   0          4s    10.244.0.2   cp-1   <none>           <none>
        $ kubectl apply -f web2.yaml
        deployment.apps/web configured
        service/web unchanged
        $ kubectl rollout status deploy/web
        Waiting for deployment spec update to be observed...
        Waiting for deployment "web" rollout to finish: 0 out of 2 new replicas have been updated...
        Waiting for deployment "web" rollout to finish: 1 out of 2 new replicas have been updated...
        Waiting for deployment "web" rollout to finish: 1 out of 2 new replicas have been updated...
        Waiting for deployment "web" rollout to finish: 1 out of 2 new replicas have been updated...
        Waiting for deployment "web" rollout to finish: 1 old replicas are pending termination...
        Waiting for deployment "web" rollout to finish: 1 old replicas are pending termination...
        Waiting for deployment "web" rollout to finish: 1 old replicas are pending termination...
        deployment "web" successfully rolled out
        $ kubectl rollout history deploy/web
        deployment.apps/web 
        REVISION  CHANGE-CAUSE
        1         <none>
        2         <none>

        $ kubectl rollout undo deploy/web
        deployment.apps/web rolled back
        Warning: resource deployments/web was previously managed with 'kubectl apply'. Rolling back will not update the kubectl.kubernetes.io/last-applied-configuration annotation, which may cause unexpected behavior on future 'kubectl apply' operations. Consider using 'kubectl apply' with your previous configuration file instead.
        $ kubectl apply -f bad.yaml
        service/other created
        The request is invalid: patch: Invalid value: "map[metadata:map[annotations:map[kubectl.kubernetes.io/last-applied-configuration:{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"annotations\":{},\"name\":\"web\",\"namespace\":\"default\"},\"spec\":{\"replica\":2,\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"image\":\"nginx:1.27\",\"name\":\"nginx\",\"ports\":[{\"containerPort\":80}],\"readinessProbe\":{\"httpGet\":{\"port\":80}}}]}}}}\n]] spec:map[replica:2 replicas:<nil>]]": strict decoding error: unknown field "spec.replica"
        [1]
        $ kubectl apply -f none.yaml
        error: the path "none.yaml" does not exist
        [1]
        $ kubectl get deploy,rs -o wide
        NAME                  READY   UP-TO-DATE   AVAILABLE   AGE   CONTAINERS   IMAGES       SELECTOR
        deployment.apps/web   2/2     2            2           11s   nginx        nginx:1.27   app=web

        NAME                             DESIRED   CURRENT   READY   AGE   CONTAINERS   IMAGES       SELECTOR
        replicaset.apps/web-659c589546   2         2         2       7s    nginx        nginx:1.28   app=web,pod-template-hash=659c589546
        replicaset.apps/web-68568d6459   0         0         0       11s   nginx        nginx:1.27   app=web,pod-template-hash=68568d6459
        $ kubectl set image deploy/web nope=x
        error: unable to find container named "nope"
        [1]
        $ kubectl get pod x
        Error from server (NotFound): pods "x" not found
        [1]
        $ kubectl get foo
        error: the server doesn't have a resource type "foo"
        [1]
        $ kubectl get pods --bogus
        error: unknown flag: --bogus
        See 'kubectl get --help' for usage.
        [1]
        $ kubectl gett pods
        error: unknown command "gett" for "kubectl"

        Did you mean this?
        	set
        	get
        [1]
        $ kubectl scale deploy web --replicas=-1
        error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0
        [1]
        $ kubectl delete pod x
        Error from server (NotFound): pods "x" not found
        [1]
        $ kubectl label deploy web tier=front
        deployment.apps/web labeled
        $ kubectl label deploy web tier=back
        error: 'tier' already has a value (front), and --overwrite is false
        [1]
        $ kubectl patch deploy web -p '{"spec":{"replicas":2}}'
        deployment.apps/web patched (no change)
        $ kubectl get nodes -o wide
        NAME   STATUS   ROLES    AGE   VERSION   INTERNAL-IP   EXTERNAL-IP   OS-IMAGE                       KERNEL-VERSION                CONTAINER-RUNTIME
        cp-1   Ready    <none>   71s   v1.36.2   192.168.0.2   <none>        Debian GNU/Linux 13 (trixie)   6.12.57+deb13-amd64 (amd64)   containerd://2.2.1
        w-1    Ready    <none>   71s   v1.36.2   192.168.0.3   <none>        Debian GNU/Linux 13 (trixie)   6.12.57+deb13-amd64 (amd64)   containerd://2.2.1
        w-2    Ready    <none>   71s   v1.36.2   192.168.0.4   <none>        Debian GNU/Linux 13 (trixie)   6.12.57+deb13-amd64 (amd64)   containerd://2.2.1
        $ kubectl cordon w-1
        node/w-1 cordoned
        $ kubectl get nodes
        NAME   STATUS                     ROLES    AGE   VERSION
        cp-1   Ready                      <none>   71s   v1.36.2
        w-1    Ready,SchedulingDisabled   <none>   71s   v1.36.2
        w-2    Ready                      <none>   71s   v1.36.2
    "#]].assert_eq(&text);
}

#[test]
fn objects_are_described() {
    let mut session = session();
    session.files.insert("web.yaml".to_owned(), WEB.into());
    let text = transcript(
        &mut session,
        &[
            "kubectl apply -f web.yaml",
            "sim advance 30s",
            "kubectl describe pod web",
            "kubectl describe deploy web",
            "kubectl describe svc web",
            "kubectl describe node w-1",
            "kubectl logs deploy/web --tail=2",
            "kubectl exec deploy/web -- hostname",
            "kubectl exec deploy/web -- cat /etc/passwd",
            "kubectl get events --sort-by=.metadata.creationTimestamp",
        ],
    );
    expect![[r#"
        $ kubectl apply -f web.yaml
        deployment.apps/web created
        service/web created
        $ sim advance 30s
        $ kubectl describe pod web
        Name:             web-68568d6459-27lt9
        Namespace:        default
        Priority:         0
        Service Account:  default
        Node:             w-1/192.168.0.3
        Start Time:       Thu, 01 Jan 2026 00:01:00 +0000
        Labels:           app=web
                          pod-template-hash=68568d6459
        Annotations:      <none>
        Status:           Running
        IP:               10.244.1.2
        IPs:
          IP:           10.244.1.2
        Controlled By:  ReplicaSet/web-68568d6459
        Containers:
          nginx:
            Container ID:   containerd://5ed9e0975e544bae97f6f4076898dcaa8ee24bef664b422790c528adaede7a13
            Image:          nginx:1.27
            Image ID:       docker.io/library/nginx@sha256:61b32801e376585bdebbf8c09d7c402d26077b8ae61d996b7bbb441247cce73c
            Port:           80/TCP
            Host Port:      0/TCP
            State:          Running
              Started:      Thu, 01 Jan 2026 00:01:03 +0000
            Ready:          True
            Restart Count:  0
            Readiness:      http-get http://:80/ delay=0s timeout=1s period=10s #success=1 #failure=3
            Environment:    <none>
            Mounts:
              /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-wkfvx (ro)
        Conditions:
          Type                        Status
          PodReadyToStartContainers   True 
          Initialized                 True 
          Ready                       True 
          ContainersReady             True 
          PodScheduled                True 
        Volumes:
          kube-api-access-wkfvx:
            Type:                    Projected (a volume that contains injected data from multiple sources)
            TokenExpirationSeconds:  3607
            ConfigMapName:           kube-root-ca.crt
            Optional:                false
            DownwardAPI:             true
        QoS Class:                   BestEffort
        Node-Selectors:              <none>
        Tolerations:                 node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
                                     node.kubernetes.io/unreachable:NoExecute op=Exists for 300s

        Name:             web-68568d6459-chtrx
        Namespace:        default
        Priority:         0
        Service Account:  default
        Node:             cp-1/192.168.0.2
        Start Time:       Thu, 01 Jan 2026 00:01:00 +0000
        Labels:           app=web
                          pod-template-hash=68568d6459
        Annotations:      <none>
        Status:           Running
        IP:               10.244.0.2
        IPs:
          IP:           10.244.0.2
        Controlled By:  ReplicaSet/web-68568d6459
        Containers:
          nginx:
            Container ID:   containerd://beb4d49ac26f42169908bd5b28f22c565ca2e41d97f141a49bc11650c7e14766
            Image:          nginx:1.27
            Image ID:       docker.io/library/nginx@sha256:61b32801e376585bdebbf8c09d7c402d26077b8ae61d996b7bbb441247cce73c
            Port:           80/TCP
            Host Port:      0/TCP
            State:          Running
              Started:      Thu, 01 Jan 2026 00:01:03 +0000
            Ready:          True
            Restart Count:  0
            Readiness:      http-get http://:80/ delay=0s timeout=1s period=10s #success=1 #failure=3
            Environment:    <none>
            Mounts:
              /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-4ftv5 (ro)
        Conditions:
          Type                        Status
          PodReadyToStartContainers   True 
          Initialized                 True 
          Ready                       True 
          ContainersReady             True 
          PodScheduled                True 
        Volumes:
          kube-api-access-4ftv5:
            Type:                    Projected (a volume that contains injected data from multiple sources)
            TokenExpirationSeconds:  3607
            ConfigMapName:           kube-root-ca.crt
            Optional:                false
            DownwardAPI:             true
        QoS Class:                   BestEffort
        Node-Selectors:              <none>
        Tolerations:                 node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
                                     node.kubernetes.io/unreachable:NoExecute op=Exists for 300s

        $ kubectl describe deploy web
        Name:                   web
        Namespace:              default
        CreationTimestamp:      Thu, 01 Jan 2026 00:01:00 +0000
        Labels:                 <none>
        Annotations:            deployment.kubernetes.io/revision: 1
        Selector:               app=web
        Replicas:               2 desired | 2 updated | 2 total | 2 available | 0 unavailable
        StrategyType:           RollingUpdate
        MinReadySeconds:        0
        RollingUpdateStrategy:  25% max unavailable, 25% max surge
        Pod Template:
          Labels:  app=web
          Containers:
           nginx:
            Image:         nginx:1.27
            Port:          80/TCP
            Host Port:     0/TCP
            Readiness:     http-get http://:80/ delay=0s timeout=1s period=10s #success=1 #failure=3
            Environment:   <none>
            Mounts:        <none>
          Volumes:         <none>
          Node-Selectors:  <none>
          Tolerations:     <none>
        Conditions:
          Type           Status  Reason
          ----           ------  ------
          Available      True    MinimumReplicasAvailable
          Progressing    True    NewReplicaSetAvailable
        OldReplicaSets:  <none>
        NewReplicaSet:   web-68568d6459 (2/2 replicas created)
        Events:
          Type    Reason             Age   From                   Message
          ----    ------             ----  ----                   -------
          Normal  ScalingReplicaSet  30s   deployment-controller  Scaled up replica set web-68568d6459 from 0 to 2
        $ kubectl describe svc web
        Name:                     web
        Namespace:                default
        Labels:                   <none>
        Annotations:              <none>
        Selector:                 app=web
        Type:                     ClusterIP
        IP Family Policy:         SingleStack
        IP Families:              IPv4
        IP:                       10.96.174.85
        IPs:                      10.96.174.85
        Port:                     <unset>  80/TCP
        TargetPort:               80/TCP
        Endpoints:                10.244.0.2:80,10.244.1.2:80
        Session Affinity:         None
        Internal Traffic Policy:  Cluster
        Events:                   <none>
        $ kubectl describe node w-1
        Name:               w-1
        Roles:              <none>
        Labels:             beta.kubernetes.io/arch=amd64
                            beta.kubernetes.io/os=linux
                            kubernetes.io/arch=amd64
                            kubernetes.io/hostname=w-1
                            kubernetes.io/os=linux
        Annotations:        node.alpha.kubernetes.io/ttl: 0
                            volumes.kubernetes.io/controller-managed-attach-detach: true
        CreationTimestamp:  Thu, 01 Jan 2026 00:00:00 +0000
        Taints:             <none>
        Unschedulable:      false
        Lease:
          HolderIdentity:  w-1
          AcquireTime:     <unset>
          RenewTime:       Thu, 01 Jan 2026 00:01:26 +0000
        Conditions:
          Type             Status  LastHeartbeatTime                 LastTransitionTime                Reason                       Message
          ----             ------  -----------------                 ------------------                ------                       -------
          MemoryPressure   False   Thu, 01 Jan 2026 00:00:00 +0000   Thu, 01 Jan 2026 00:00:00 +0000   KubeletHasSufficientMemory   kubelet has sufficient memory available
          DiskPressure     False   Thu, 01 Jan 2026 00:00:00 +0000   Thu, 01 Jan 2026 00:00:00 +0000   KubeletHasNoDiskPressure     kubelet has no disk pressure
          PIDPressure      False   Thu, 01 Jan 2026 00:00:00 +0000   Thu, 01 Jan 2026 00:00:00 +0000   KubeletHasSufficientPID      kubelet has sufficient PID available
          Ready            True    Thu, 01 Jan 2026 00:00:00 +0000   Thu, 01 Jan 2026 00:00:00 +0000   KubeletReady                 kubelet is posting ready status
        Addresses:
          InternalIP:  192.168.0.3
          Hostname:    w-1
        Capacity:
          cpu:                4
          ephemeral-storage:  100Gi
          hugepages-1Gi:      0
          hugepages-2Mi:      0
          memory:             8Gi
          pods:               110
        Allocatable:
          cpu:                4
          ephemeral-storage:  96636764k
          hugepages-1Gi:      0
          hugepages-2Mi:      0
          memory:             8092Mi
          pods:               110
        System Info:
          Machine ID:                 c93bb5616e6f4ab8b8715203f3e329dc
          System UUID:                ded57d4a-13ea-4b18-92c6-181f9966015a
          Boot ID:                    3aa73d94-970e-49a7-8e59-241715d14d7a
          Kernel Version:             6.12.57+deb13-amd64
          OS Image:                   Debian GNU/Linux 13 (trixie)
          Operating System:           linux
          Architecture:               amd64
          Container Runtime Version:  containerd://2.2.1
          Kubelet Version:            v1.36.2
        PodCIDR:                      10.244.1.0/24
        PodCIDRs:                     10.244.1.0/24
        Non-terminated Pods:          (1 in total)
          Namespace                   Name                    CPU Requests  CPU Limits  Memory Requests  Memory Limits  Age
          ---------                   ----                    ------------  ----------  ---------------  -------------  ---
          default                     web-68568d6459-27lt9    0 (0%)        0 (0%)      0 (0%)           0 (0%)         30s
        Allocated resources:
          (Total limits may be over 100 percent, i.e., overcommitted.)
          Resource           Requests  Limits
          --------           --------  ------
          cpu                0 (0%)    0 (0%)
          memory             0 (0%)    0 (0%)
          ephemeral-storage  0 (0%)    0 (0%)
          hugepages-1Gi      0 (0%)    0 (0%)
          hugepages-2Mi      0 (0%)    0 (0%)
        Events:
          Type    Reason          Age   From             Message
          ----    ------          ----  ----             -------
          Normal  RegisteredNode  90s   node-controller  Node w-1 event: Registered Node w-1 in Controller
        $ kubectl logs deploy/web --tail=2
        start worker processes
        Found 2 pods, using pod/web-68568d6459-27lt9
        $ kubectl exec deploy/web -- hostname
        web-68568d6459-27lt9
        $ kubectl exec deploy/web -- cat /etc/passwd
        root:x:0:0:root:/root:/bin/sh
        nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
        $ kubectl get events --sort-by=.metadata.creationTimestamp
        LAST SEEN   TYPE     REASON              OBJECT                      MESSAGE
        90s         Normal   RegisteredNode      node/cp-1                   Node cp-1 event: Registered Node cp-1 in Controller
        90s         Normal   RegisteredNode      node/w-1                    Node w-1 event: Registered Node w-1 in Controller
        90s         Normal   RegisteredNode      node/w-2                    Node w-2 event: Registered Node w-2 in Controller
        30s         Normal   Scheduled           pod/web-68568d6459-27lt9    Successfully assigned default/web-68568d6459-27lt9 to w-1
        30s         Normal   Pulling             pod/web-68568d6459-27lt9    Pulling image "nginx:1.27"
        30s         Normal   Scheduled           pod/web-68568d6459-chtrx    Successfully assigned default/web-68568d6459-chtrx to cp-1
        30s         Normal   Pulling             pod/web-68568d6459-chtrx    Pulling image "nginx:1.27"
        30s         Normal   SuccessfulCreate    replicaset/web-68568d6459   Created pod: web-68568d6459-chtrx
        30s         Normal   SuccessfulCreate    replicaset/web-68568d6459   Created pod: web-68568d6459-27lt9
        30s         Normal   ScalingReplicaSet   deployment/web              Scaled up replica set web-68568d6459 from 0 to 2
        27s         Normal   Pulled              pod/web-68568d6459-27lt9    Successfully pulled image "nginx:1.27" in 3.28s (3.28s including waiting). Image size: 72000000 bytes.
        27s         Normal   Created             pod/web-68568d6459-27lt9    Container created
        27s         Normal   Started             pod/web-68568d6459-27lt9    Container started
        27s         Normal   Pulled              pod/web-68568d6459-chtrx    Successfully pulled image "nginx:1.27" in 3.28s (3.28s including waiting). Image size: 72000000 bytes.
        27s         Normal   Created             pod/web-68568d6459-chtrx    Container created
        27s         Normal   Started             pod/web-68568d6459-chtrx    Container started
    "#]].assert_eq(&text);
}

#[test]
fn failures_show_as_upstream_shows_them() {
    let mut session = session();
    session.files.insert("web.yaml".to_owned(), WEB.into());
    let text = transcript(
        &mut session,
        &[
            "kubectl get ns",
            "kubectl run lost --image=nginx:no-such-tag",
            "kubectl run once --image=busybox --restart=Never -- true",
            "kubectl run loop --image=busybox -- false",
            "kubectl apply -f web.yaml",
            "sim advance 60s",
            "kubectl get pods",
            "kubectl logs lost",
            "kubectl logs loop -p",
            "kubectl rollout restart deploy/web",
            "kubectl rollout status deploy/web",
            "sim fault node-crash w-1",
            "sim advance 6m",
            "kubectl get nodes,pods",
            "kubectl get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName --sort-by=.spec.nodeName",
            "kubectl get pods --field-selector=status.phase=Succeeded --no-headers",
            "kubectl get pods -l app=web --field-selector spec.nodeName=w-2 -o name",
            "kubectl create ns team",
            "kubectl create deploy api --image=nginx -n team --dry-run=client",
            "kubectl create configmap settings --from-literal=a=b -n team",
            "kubectl get cm -n team -o yaml",
            "kubectl get pods -n team",
            "kubectl get cm -A",
            "sim time",
            "kubectl delete ns team",
            "sim time",
            "kubectl get pods -o jsonpath='{range .items[*]}{.metadata.name}{\"=\"}{.status.phase}{\"\\n\"}{end}'",
            "kubectl delete -f web.yaml",
            "sim time",
            "kubectl delete pods --all --force",
            "sim time",
            "sim advance 1s",
            "kubectl get all",
        ],
    );
    expect![[r#"
        $ kubectl get ns
        NAME              STATUS   AGE
        default           Active   60s
        kube-node-lease   Active   60s
        kube-public       Active   60s
        kube-system       Active   60s
        $ kubectl run lost --image=nginx:no-such-tag
        pod/lost created
        $ kubectl run once --image=busybox --restart=Never -- true
        pod/once created
        $ kubectl run loop --image=busybox -- false
        pod/loop created
        $ kubectl apply -f web.yaml
        deployment.apps/web created
        service/web created
        $ sim advance 60s
        $ kubectl get pods
        NAME                   READY   STATUS             RESTARTS      AGE
        loop                   0/1     CrashLoopBackOff   3 (17s ago)   60s
        lost                   0/1     ImagePullBackOff   0             60s
        once                   0/1     Completed          0             60s
        web-68568d6459-27lt9   1/1     Running            0             60s
        web-68568d6459-chtrx   1/1     Running            0             60s
        $ kubectl logs lost
        Error from server (BadRequest): container "lost" in pod "lost" is waiting to start: trying and failing to pull image
        [1]
        $ kubectl logs loop -p
        $ kubectl rollout restart deploy/web
        deployment.apps/web restarted
        $ kubectl rollout status deploy/web
        Waiting for deployment spec update to be observed...
        Waiting for deployment "web" rollout to finish: 0 out of 2 new replicas have been updated...
        Waiting for deployment "web" rollout to finish: 1 out of 2 new replicas have been updated...
        Waiting for deployment "web" rollout to finish: 1 out of 2 new replicas have been updated...
        Waiting for deployment "web" rollout to finish: 1 out of 2 new replicas have been updated...
        Waiting for deployment "web" rollout to finish: 1 old replicas are pending termination...
        Waiting for deployment "web" rollout to finish: 1 old replicas are pending termination...
        Waiting for deployment "web" rollout to finish: 1 old replicas are pending termination...
        deployment "web" successfully rolled out
        $ sim fault node-crash w-1
        fault 0
        $ sim advance 6m
        $ kubectl get nodes,pods
        NAME        STATUS     ROLES    AGE    VERSION
        node/cp-1   Ready      <none>   8m6s   v1.36.2
        node/w-1    NotReady   <none>   8m6s   v1.36.2
        node/w-2    Ready      <none>   8m6s   v1.36.2

        NAME                       READY   STATUS             RESTARTS      AGE
        pod/loop                   0/1     CrashLoopBackOff   6 (67s ago)   7m6s
        pod/lost                   0/1     ImagePullBackOff   0             7m6s
        pod/web-7b558b44db-jttpp   1/1     Terminating        0             6m6s
        pod/web-7b558b44db-nbjjl   1/1     Running            0             6m5s
        pod/web-7b558b44db-sq6bh   1/1     Running            0             11s
        $ kubectl get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName --sort-by=.spec.nodeName
        NAME                   NODE
        lost                   cp-1
        web-7b558b44db-sq6bh   cp-1
        web-7b558b44db-jttpp   w-1
        loop                   w-2
        web-7b558b44db-nbjjl   w-2
        $ kubectl get pods --field-selector=status.phase=Succeeded --no-headers
        No resources found in default namespace.
        $ kubectl get pods -l app=web --field-selector spec.nodeName=w-2 -o name
        pod/web-7b558b44db-nbjjl
        $ kubectl create ns team
        namespace/team created
        $ kubectl create deploy api --image=nginx -n team --dry-run=client
        deployment.apps/api created (dry run)
        $ kubectl create configmap settings --from-literal=a=b -n team
        configmap/settings created
        $ kubectl get cm -n team -o yaml
        apiVersion: v1
        items:
        - apiVersion: v1
          data:
            a: b
          kind: ConfigMap
          metadata:
            creationTimestamp: "2026-01-01T00:08:06Z"
            name: settings
            namespace: team
            resourceVersion: "248"
            uid: 961f53b2-2b35-4203-acec-047039dac153
        kind: List
        metadata:
          resourceVersion: ""
        $ kubectl get pods -n team
        No resources found in team namespace.
        $ kubectl get cm -A
        NAMESPACE         NAME               DATA   AGE
        default           kube-root-ca.crt   1      8m6s
        kube-node-lease   kube-root-ca.crt   1      8m6s
        kube-public       kube-root-ca.crt   1      8m6s
        kube-system       kube-root-ca.crt   1      8m6s
        team              settings           1      0s
        $ sim time
        8m6.005s
        $ kubectl delete ns team
        namespace "team" deleted
        $ sim time
        8m11.005s
        $ kubectl get pods -o jsonpath='{range .items[*]}{.metadata.name}{"="}{.status.phase}{"\n"}{end}'
        loop=Running
        lost=Pending
        web-7b558b44db-jttpp=Running
        web-7b558b44db-nbjjl=Running
        web-7b558b44db-sq6bh=Running
        $ kubectl delete -f web.yaml
        deployment.apps "web" deleted from default namespace
        service "web" deleted from default namespace
        $ sim time
        8m11.005s
        $ kubectl delete pods --all --force
        pod "loop" force deleted from default namespace
        pod "lost" force deleted from default namespace
        pod "web-7b558b44db-jttpp" force deleted from default namespace
        pod "web-7b558b44db-nbjjl" force deleted from default namespace
        pod "web-7b558b44db-sq6bh" force deleted from default namespace
        Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.
        $ sim time
        8m11.005s
        $ sim advance 1s
        $ kubectl get all
        NAME                 TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE
        service/kubernetes   ClusterIP   10.96.0.1    <none>        443/TCP   8m12s
    "#]].assert_eq(&text);
}

#[test]
fn images_of_one_odd_name_get_letters_of_their_own() {
    let mut session = session();
    let command = "kubectl create deployment web --image=one/my_app --image=two/my_app --dry-run=client -o jsonpath={.spec.template.spec.containers[*].name}";
    let names = session.run(command).stdout;
    let (first, second) = names.split_once(' ').expect("two containers");
    assert!(
        first.starts_with("my-app-") && second.starts_with("my-app-"),
        "{}",
        &*names
    );
    assert_ne!(first, second);
}
