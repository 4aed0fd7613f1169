# The page's words. Names of kinds, states, fields and commands stay as the real tools write them.

## Page
tagline = Kubernetes, Docker Swarm and Compose on the same machines, under the same faults.
skip-editor = Skip to the editor
skip-cluster = Skip to the machines
skip-timeline = Skip to the timeline
skip-console = Skip to the console
engine-starting = The engine is starting.
engine-ready = The engine is ready.
engine-failed = The engine has stopped: { $reason }
nav-panels = Panels
panel-edit = Edit
panel-watch = Watch
panel-time = Why
panel-console = Console

## Top bar
example = Example
example-poll = Poll
example-blank = Blank
example-own = Your files
language = Language
theme = Theme
theme-auto = Auto
theme-light = Light
theme-dark = Dark
help = Help
experiment = Experiment…
branches-dropped = { $count ->
    [one] Machines and fault script are told from the start: the experiment was run again with them, and its other branch is gone.
   *[other] Machines and fault script are told from the start: the experiment was run again with them, and its { $count } other branches are gone.
}
branch-back = Open { $branch } as it was
restored = Restored your last session.
restored-discard = Start fresh
earlier = Earlier work…
earlier-title = Earlier work
earlier-hint = The last twenty states of your experiments, as this browser keeps them. One that is opened takes the present one's place; Ctrl+Z brings that back.
earlier-none = This browser keeps no earlier work yet. It will, as soon as you change an experiment.
earlier-forget = Forget all
dismiss = Dismiss

## Editor
editor = Files
editor-label = Text of { $file }
editor-hint = Tab leaves the editor until you click or type in it; Escape, then Tab, always does. Alt+Enter at a number opens a slider.
editor-meaning = What it means
editor-number = Value of
file-add = Add files
file-close = Close { $file }
last-valid = Using the last valid files
applied = Applied
problems = Problems
problems-none = No problems.
problem-place = { $file }, line { $line }, column { $column }
problem-fault = Faults of the experiment, line { $line }, column { $column }
tab-cluster = cluster
tab-faults = faults
fault-script = Edit as text
fault-remove = Take { $fault } out of the fault script
changes = { $count ->
    [one] What the last edit changed: 1 object
   *[other] What the last edit changed: { $count } objects
}
changes-label = What the last edit changed
changes-output = What the tools printed
changes-compose = Fields and their owners are Kubernetes' own, from managedFields; of Swarm it is the service's specification. Compose keeps neither: it makes containers anew, as its output says.
change-created = created
change-configured = applied by { $manager }
change-updated = version { $before } → { $now }
change-field = Field
change-what = What happened
change-added = added
change-changed = changed
change-changed-of = changed; { $owners } owned it
change-overwrote = overwritten; { $owners } owned it until now
change-removed = removed
change-removed-of = removed; { $owners } owned it
change-kept = left alone: { $owners } owns it, and the file does not say it
problem-fix = Fix
problem-fix-all = Fix all { $count }
not-modelled = Accepted and kept, but not modelled

## Planes
machines = Machines
plane-kubernetes = Kubernetes
plane-swarm = Docker Swarm
plane-compose = Compose
plane-kubernetes-kind = declarative
plane-swarm-kind = imperative front end
plane-compose-kind = one host
converged = Converged
working = At work
machine-lost = lost
machine-powered = has power
machine-units = { $machine }: { $state }, { $count ->
    [one] 1 unit
   *[other] { $count } units
}
control-plane = control plane
manager = manager
requested = requested: CPU { $cpu } %, memory { $memory } %
cpu = CPU
memory = memory
unplaced = No machine yet
kill = Kill
kill-machine = Kill { $machine } on every orchestrator
heal = Heal
heal-machine = Heal { $machine }
unit-label = { $name }: { $state }
service-serving = { $name }: { $serving } serving
service-summary = { $name }: { $ready } of { $desired } ready, { $serving } serving
service-why = Why do the users of { $service } get the answers they get?
serving-now = { $percent } answered now
availability = { $percent } since the start
nobody-asks = nobody asks
ready-of = { $ready }/{ $desired } ready
mechanism-then = {"; then "}
mechanism-by = {": "}
grid-help = Arrow keys move between machines and units; Delete kills.

## States
state-ready = ready
state-progressing = on its way
state-pending = pending
state-terminating = terminating
state-failed = failed
state-unknown = lost
state-completed = completed
legend = States

## Charts
charts = Charts
zoom-in = Time from closer
zoom-out = Time from farther away
chart-service = Service
chart-title = { $service } on { $plane }: replicas and answered requests over time
chart-desired = desired
chart-ready = ready
chart-answered = answered
chart-none = This service does not exist here.
chart-now = { $plane }: desired { $desired }, ready { $ready }, answered { $answered }

## Timeline
timeline = Timeline
play = Play
pause = Pause
step-back = Previous event
step-forward = Next event
to-start = To the start
to-end = To the latest time
fork = Fork here
branch = Branch
speed = Speed
time = Time
time-text = { $time }, { $events }
no-faults = no faults so far
speed-times = { $speed }×
seeking = On the way…

## Faults
faults = Faults
fault-kill = Kill machine
fault-target = Machine
fault-heal-all = Heal all
fault-detected = noticed after { $span }
fault-not-detected = not noticed yet
fault-recovered = served as before after { $span }
fault-not-recovered = not served as before yet
fault-not-applicable = no such target here
fault-scheduled = at { $time }
fault-list-empty = No faults yet.
machine-lost-said = { $machine } is lost.
machine-back-said = { $machine } has power again.
machines-lost-said = { $count ->
    [one] { $count } machine is lost.
   *[other] { $count } machines are lost.
}
machines-back-said = { $count ->
    [one] { $count } machine has power again.
   *[other] { $count } machines have power again.
}
ready-said = { $plane }: { $ready } of { $desired } ready.
ready-failed-said = { $plane }: { $ready } of { $desired } ready, { $failed } failed.

## Events and causes
events = Events
events-empty = Nothing has happened yet.
why = Why?
why-hint = Choose an event, a pod, a task or a container to see what led to it.
why-none = Nothing is known about this.
why-wait = after { $span }
why-rule = because of { $rule }
close = Close

## Console
console = Console
console-label = Console line
console-hint = kubectl, docker, host and sim commands, for instance: kubectl get pods
console-run = Run
console-log-hint = Enter goes to the buttons of the newest line; arrow keys move among the lines, and among the names in a line's output.
console-again = Run again at the shown time: { $line }
console-ran = it ran at { $time }
watch-stop = Stop (Ctrl+C)
watch-beep = The command failed: beep.
name-show = Show { $object }
exit-code = exit code { $code }

## Experiment dialog
experiment-title = Experiment
experiment-files = Files from this computer…
experiment-folder = A folder…
experiment-paste = Or paste text
experiment-paste-hint = Several files: begin each with a line "# file: NAME".
experiment-nodes = Worker machines
experiment-seed = Seed
experiment-faults = Faults, one a line
experiment-faults-hint = For instance: node-crash of:poll at 60s for 2m
experiment-length = Length in seconds
experiment-start = Start anew
experiment-add = Add to the files
cancel = Cancel
download = Download the files

## Help
help-title = Keys
help-letters = Single letters act outside of text fields.
help-keys-on = Single-letter keys
help-space = play or pause
help-arrows = previous, next event; with Shift 10 seconds
help-home = start, latest time
help-fork = fork here
help-delete = kill the machine, pod, task or container with the focus
help-apply = check and apply at once
help-console = in the console: end the watch, empty the log, find an earlier line
help-why = explain the unit with the focus
help-plain = Edit in a plain text area
help-silent = Do not announce changes to screen readers
help-question = this sheet
key-fault-back = previous fault
key-fault-next = next fault
key-slower = slower
key-faster = faster
key-bookmark = bookmark this moment
key-range = begin, then end of a loop
key-views = next view
key-closer = machines from closer
key-farther = machines from farther away
key-break = break something: the next key says what
key-heal = Heal machine
key-change = { $does }: { $key }. Change the key
key-press = Press a key
key-none = none
key-conflict = { $key } does something else: { $other }
keys-hint = Choose a key, then press the one that is to take its place. Backspace: none. Escape: as it was.
keys-reset = All keys as at first
keys-fixed = Other keys

## Share
share = Share
share-title = Share and take away
share-link = Link to this moment
share-length = { $count ->
    [one] 1 character.
   *[other] { $count } characters.
}
share-long = Some programs cut links that are this long.
share-longer = Sites and programs that a link passes often take no more than 8,000 characters. Take the scenario or the JSON file away instead.
share-too-long = The experiment is too large for a link: take the scenario file instead.
share-command = The same on the command line
share-command-hint = Run it in the folder that holds the files.
share-command-scenario = Take the scenario as Markdown away first: { $file } tells what was done by hand.
copy = Copy
copied = Copied: { $what }
export = Take away
export-svg = Charts as SVG
export-png = Charts as PNG
export-gif = Charts as GIF
export-csv = Figures as CSV
export-webm = Charts as video (WebM)
export-json = Run as JSON
export-drawing = The pictures are being drawn…
export-scenario = Scenario as Markdown
link-too-long = The link is longer than a link of Podium can be. Your own work is untouched.
link-version = The link was made by a newer Podium. Your own work is untouched.
link-damaged = The link is damaged and cannot be read. Your own work is untouched.
link-example = The link was made with another version of the examples. Your own work is untouched.
unkept = The browser does not keep this session: it is too large, or storage is full or blocked. Download the files to keep them.
update-ready = A new version of Podium is ready. Your experiment stays as it is.
update-load = Load it now
update-later = Later
crash = The engine stopped and was started again. Your files are as you left them.
crash-link = Link that reproduces it
embed-open = Open in Podium
open = Open

## Gallery
gallery = Gallery
gallery-hint = Each one is a scenario that the tests run. It opens at its start: play it, then change something.
gallery-open = Open: { $title }
gallery-try = Try: { $what }
ask-affinity = Pods that refuse each other's nodes: how many replicas fit?
try-affinity = make the rule a preference, and scale up again.
ask-autoscaler = Why does an autoscaler let go so much later than it grips?
try-autoscaler = change the metric with sim metric set, and watch the replicas after five minutes.
ask-compose-config-change = One variable changes. Which containers does Compose replace?
try-compose-config-change = run docker compose up again without a change.
ask-compose-crash-on-failure = When does restart: on-failure give up?
try-compose-crash-on-failure = raise the count, and let the command end with 0.
ask-compose-one-shot = What starts after a migration that fails?
try-compose-one-shot = let it fail with CODE=2 in the console, and ask Why? of the service that waits.
ask-compose-refusals = Which mistakes does Compose refuse before it touches anything?
try-compose-refusals = mend one file in the console, and bring it up.
ask-compose-scale-port = Two containers, one host port: what happens to the second?
try-compose-scale-port = leave the host port out, and scale again.
ask-compose-unhealthy-stays = Who restarts a container that says it is unhealthy?
try-compose-unhealthy-stays = run the same file as a stack: Swarm acts on the label.
ask-crash-loop = Why does a crashing pod come back more and more slowly?
try-crash-loop = read the rule behind each restart in Why?
ask-cronjob-forbid = The work takes longer than its schedule. What does Forbid do?
try-cronjob-forbid = change the policy to Allow, then to Replace.
ask-daemonset-new-node = A machine joins. Who notices that it needs an agent?
try-daemonset-new-node = add another with sim node add, then taint it.
ask-docker-host-crash = The host reboots. Which containers come back on their own?
try-docker-host-crash = guess each one by its restart policy before you play.
ask-job-backoff = How often does a Job try before it gives up?
try-job-backoff = change backoffLimit and look at the waits.
ask-memory-pressure = A machine runs short of memory. Which pod has to go?
try-memory-pressure = raise the greedy pod's request and see who is evicted instead.
ask-noisy-neighbour = Threads that never sleep move in next door. What protects you?
try-noisy-neighbour = compare sim usage under a quota, a weight and a virtual machine.
ask-preemption = A full cluster, an urgent pod: who must leave?
try-preemption = lower its priority and see it wait.
ask-probe-kill = Which probe kills, and which one holds it back?
try-probe-kill = change failureThreshold and count again.
ask-stateful-lost-node = Why does a StatefulSet not replace a pod on a lost machine?
try-stateful-lost-node = delete the pod by force instead, and think what a real disk would hold.
ask-stuck-volume = A pod waits for a volume that nobody makes. How do you find out?
try-stuck-volume = read the pod's message, then apply the volume.
ask-zone-spread = Six replicas over three zones: what if one zone is full?
try-zone-spread = allow a skew of two, and scale again.
ask-apiserver-down = The API server is down. What goes on without it?
try-apiserver-down = kill a machine while it is down, and see who notices when.
ask-autoscaler-traffic = Traffic grows. How does an autoscaler find its number?
try-autoscaler-traffic = raise sim traffic again, and count the fifteen-second steps.
ask-controller-restart = The controller manager dies in the middle of a rollout. Who goes on?
try-controller-restart = read in Why? how long the lease of the dead process holds.
ask-drain-budget = Two machines are drained. Why does the second drain wait?
try-drain-budget = allow two disruptions and drain again.
ask-etcd-quorum = Three etcd members: how many may be lost?
try-etcd-quorum = heal one, and see which request gets through first.
ask-job-indexed = A part of an indexed Job is deleted. What is done twice?
try-job-indexed = delete the pod of another index.
ask-static-pods = A manifest lies on a machine, and the control plane is gone. What runs?
try-static-pods = delete the mirror while the API server is away.
ask-pod-resize = Can a running pod get more CPU without a restart?
try-pod-resize = ask for five cores on a machine that has four.
ask-node-shutdown = A machine is told to shut down. Do its pods end in order?
try-node-shutdown = set the grace period to 0 and look again.
ask-watch-stale = A controller's cache is two seconds old. What becomes of a rollout?
try-watch-stale = let the scheduler's watch stand still instead.
ask-slow-link = What one replica sends is late. Who notices, and who goes on asking it?
try-slow-link = slow the whole machine's link down, or give Swarm's image a health check.
ask-lossy-link = Three of four packets of a machine are lost. Is it there or not?
try-lossy-link = lower the loss until nobody notices it any more.
ask-slow-disk = A machine's disk is slow. What waits for it during a rollout?
try-slow-disk = slow down control-1's disk instead, and look at the times of writes.
ask-wrong-clock = Two machines' clocks are wrong. When does a new pod count as available?
try-wrong-clock = turn control-1's clock as well, and give the cluster a CronJob.
ask-wait-for-service = Why does a pod stay at Init:0/1 although nothing fails?
try-wait-for-service = let the script give up after ten tries with exit 1.
ask-init-and-sidecar = In which order does a pod with init containers and a sidecar start and stop?
try-init-and-sidecar = let the migration fail with exit 1.
ask-namespace-end = Why does a namespace stay Terminating?
try-namespace-end = take the finalizer off before the namespace is deleted.
ask-kubelet-restart = A kubelet is away for a minute. Do its containers notice?
try-kubelet-restart = keep it away for six minutes instead.
ask-node-drain = What lets a drain go on, one pod at a time?
try-node-drain = loosen the budget and drain again.
ask-rollout-stuck-undo = A rollout is stuck. Who rolls it back?
try-rollout-stuck-undo = leave the undo out, and wait another ten minutes.
ask-runtime-kill = The container runtime answers nobody. What still runs?
try-runtime-kill = kill a pod meanwhile, and see when it comes back.
ask-scheduler-down = No scheduler runs. What do new pods do?
try-scheduler-down = scale something up while it is down.
ask-stateful-partition = How is a StatefulSet's canary kept to one pod?
try-stateful-partition = set the partition to 1, then to 0.
ask-swarm-autolock = A locked manager restarts. What does it know?
try-swarm-autolock = type a wrong key first.
ask-swarm-constraint = A label goes away. What happens to the task that needed it?
try-swarm-constraint = give the label to another node.
ask-swarm-drain = Why are a drained node's tasks replaced without the usual delay?
try-swarm-drain = kill the node instead, and compare.
ask-swarm-force-new-cluster = Two of three managers never come back. What is left?
try-swarm-force-new-cluster = make one manager, and lose it too.
ask-swarm-global-new-node = Which nodes get a task of a global service?
try-swarm-global-new-node = pause a node, then drain it.
ask-swarm-job = A Swarm job: how many at a time, and what if one fails?
try-swarm-job = let each of them fail once.
ask-swarm-quorum-loss = Swarm has lost its quorum. Who repairs?
try-swarm-quorum-loss = kill a task before the majority is back.
ask-swarm-resources = What does Swarm count: what is reserved, or what is used?
try-swarm-resources = take the reservations away.
ask-swarm-restart-window = When does Swarm stop restarting a task?
try-swarm-restart-window = widen the window.
ask-swarm-rollback = An update fails. How does Swarm go back by itself?
try-swarm-rollback = raise the failure ratio, and update again.
ask-zone-outage = A whole zone is lost. Why are its pods moved one machine at a time?
try-zone-outage = lose a second zone as well.
ask-disk-pressure = A node's disk fills up. What goes first?
try-disk-pressure = fill a smaller part, and see where it stops.
ask-force-detach = A dead node still holds a volume. How long until another may have it?
try-force-detach = leave the pod alone instead of deleting it by force.
ask-hooks-and-images = A container has started. When does it count as running?
try-hooks-and-images = let the second hook succeed.
ask-missing-config = A ConfigMap is missing. How far does the pod get?
try-missing-config = make the missing object under another name, then under the right one.
ask-operator = Who puts back a child of a custom resource that you delete?
try-operator = change a field of the child that the operator does not own.
ask-soft-eviction = Memory is short, but only softly. How long may a pod stay?
try-soft-eviction = let the memory come back before the grace period ends.
ask-compose-order = In which order does Compose start services that need each other?
try-compose-order = open Why? on the last container to start, then kill the one it waits for.
ask-image-typo = Does a typo in an image's name take the service down?
try-image-typo = compare ready and answered in the charts while the new pod waits.
ask-node-loss-compose = The only host dies. Who brings the containers back?
try-node-loss-compose = heal the machine and see which restart policy brings what back.
ask-node-loss-kubernetes = A machine dies. How long until Kubernetes replaces its pods?
try-node-loss-kubernetes = step from fault to fault with ] and read the rule behind each wait in Why?
ask-node-loss-swarm = A machine dies. Why is Swarm so much faster, and what does it not do afterwards?
try-node-loss-swarm = heal the machine: do the tasks go back to it?
ask-node-reboot = A machine reboots. Do its pods move?
try-node-reboot = make it a crash instead, and compare.
ask-partition = A machine is cut off but goes on running. What does the control plane believe?
try-partition = look at ready and answered on both sides of the cut.
ask-pod-kill = A pod is killed. How soon is there another?
try-pod-kill = kill both pods at once with Delete.
ask-port-taken = Two services want the same port. Who gets it?
try-port-taken = change one of the ports and apply it in the console.
ask-rollout = What limits the pace of a rolling update?
try-rollout = break the new image in the middle of it.

## Inspector
inspect = Inspect
inspector = Inspect
anatomy = Parts
anatomy-none = Nothing of it is on a machine that runs now.
anatomy-place = On { $machine }, kernel { $kernel }
anatomy-groups = Control groups
anatomy-spaces = Namespaces (= the machine's own)
anatomy-processes = Processes
anatomy-mounts = Mounts and layers
anatomy-interfaces = Interfaces and routes
anatomy-rules = Packet filter rules
inspector-none = The tools tell nothing about this.
console-words = Words that fit
console-tab = Down and up choose among the words offered, Tab takes one; Escape dismisses the offer.
fault-reboot = Reboot
fault-partition = Cut off
fault-registry = Registry down
fault-oom = Out of memory
fault-delay = Slow link
fault-loss = Lossy link
fault-disk = Slow disk
fault-cpu = CPU hog
fault-clock = Wrong clock
help-inspect = describe the object with the focus
key-yaml = YAML or inspect output of the object with the focus
key-logs = logs of the object with the focus
key-kinds = find by kind
key-glyphs = state glyphs on or off
help-present = presenter mode
help-share = share

## Views
views = Views
filter = Show only what has these words
filter-hint = / filter
view-machines = Machines
view-services = Services
view-loops = Control loops
view-table = Table
table-object = Object
table-plane = Orchestrator
table-of = Part of
table-window = Rows { $first } to { $last } of { $all }
services-none = Nothing is deployed here.
slot = slot { $number }
slot-global = on { $machine }
on-machine = on { $machine }
nowhere = no machine yet
dependencies = What waits for what in Compose
graph-label = { $title }, at { $time }. { $text }
loops-hint = Each loop wakes when it sees a change, compares what is wanted with what is there, and does one small thing about it.
loop-wants = wants
loop-saw = saw
loop-did = did
loop-saw-nothing = Its own timer, or what a person wrote.
loop-count = { $count ->
    [one] acted once
   *[other] acted { $count } times
}
loop-apiserver = what people and loops write to be checked, kept, and told to all who watch
loop-deployment = one ReplicaSet for each template, grown and shrunk at the pace of the update strategy
loop-replicaset = exactly as many pods as replicas says
loop-statefulset = pods with names and claims, one after the other
loop-daemonset = one pod on each machine that fits
loop-job = as many completions as the Job asks for, with longer waits after failures
loop-cronjob = a Job at each time of the schedule
loop-scheduler = a machine for each pod that has none: the best of those that fit
loop-kubelet = the machine's containers to be as its pods say; it tells what it sees
loop-endpointslice = the list of addresses that are ready for each Service
loop-proxy = this machine's rules to send traffic to the listed addresses
loop-node-lifecycle = to know which machines are heard of, and to taint those that are not
loop-taint-eviction = pods gone from tainted machines once they no longer tolerate it
loop-other = its objects to be as they are asked to be
loop-control-api = what people write to be checked and put into the store; it does nothing else
loop-orchestrator = a task in each slot of each service
loop-swarm-scheduler = a node for each task: the one with the fewest tasks of the service
loop-dispatcher = to hear from each node in time, and to hand it its tasks
loop-agent = the node's containers to be as its tasks say; it tells their states
loop-restart = a new task in the slot of one that has ended, after the delay
loop-updater = slots brought to the new version, a few at a time; it stops if too many fail
loop-client = containers made and started in order, once; then it ends and nobody watches
loop-engine = each container kept by its own restart policy, on this machine only
cause-graph = Causes as a graph
cause-graph-hint = The way that led here is marked; beside it is what else came of each event. Choose a box to follow it.

## Branches
compare = Compare
compare-title = Two branches compared
compare-end = at { $time }
compare-same = Both branches end the same.
compare-different = { $count ->
    [one] 1 figure differs.
   *[other] { $count } figures differ.
}
compare-figure = Figure
compare-noticed = { $plane }: { $fault } noticed after
compare-recovered = { $plane }: { $fault } served again after
compare-availability = { $plane }: { $service } answered since the start
compare-ready = { $plane }: { $service } ready
never = not by then
chart-ghost = ready, as it was before
bookmark = Bookmark
bookmark-note = Note at { $time }
bookmark-remove = Remove the bookmark at { $time }
bookmarks = Bookmarks
loop-range = Loop
loop-clear = End the loop
mark-edit = { $file } edited
loop-from = Loop from { $from } to { $to }
help-palette = all commands
fault-at = at second
fault-at-now = now
fault-drag = Drag onto a machine or onto the time line; a cut also onto a link
palette = Commands
palette-hint = Type to search; Enter runs the first.
palette-none = Nothing fits.
picture = What became of each replica: { $rows }
help-undo = undo the last act (in the editor: the last change of the text)
help-redo = do again what was undone
help-zoom = in the timeline: from closer, earlier, from farther, later
help-tab = in the editor: Tab leaves it, or indents
help-number = in the editor: a slider for the number at the cursor
help-menu = what can be done with the object with the focus
dense-summary = { $plane }: { $machines } machines, { $lost } lost; { $states }
dense-hint = Each tile is a machine, coloured by the worst state on it. Choose one by pointer, or by its name.
dense-machine = Machine by name
dense-gone = There is no machine { $machine } here now.
dense-lost = Machines that are lost
detail = Level of detail
detail-auto = Automatic
detail-map = Map
detail-signs = Signs
detail-names = Names
detail-hint = Map: a tile for each machine. Signs: a sign for each replica. Names: each replica by name.
signs-help = Arrow keys move between machines; Enter opens one, Escape closes it; Delete kills it.
signs-machine = { $machine }: { $state }; { $counts }
signs-window = Machines { $first } to { $last } of { $all }
signs-previous = Previous
signs-next = Next
links-of = Links of { $machine }
link-cut = Cut the link between { $machine } and { $other }
link-mend = Mend the link between { $machine } and { $other }

## What the engine says
# Those that the command line prints, too, are in sim-core/src/base/sentence/catalogue.rs; the other
# languages have them here.
said-advised = { $what }; { $advice }
said-does-node-crash = a machine loses power until healed
said-does-node-reboot = a machine is switched off and boots again
said-does-partition = A|B: two groups of machines cannot reach each other
said-does-pod-kill = a replica's containers get SIGKILL
said-does-container-kill = one container gets SIGKILL
said-does-registry-down = registries answer nobody
said-does-registry-slow = registries send little at a time (rate=)
said-does-image-missing = an image vanishes from its registry
said-does-zone-outage = all machines of a zone lose power
said-does-leader-loss = the machine whose manager leads loses power
said-does-oom = the kernel kills one container for memory
said-does-cpu-hog = threads that never sleep (cores=)
said-does-memory-leak = a replica takes more and more memory (rate=)
said-does-disk-fill = a machine's disk fills up (size=)
said-does-apiserver-down = Kubernetes' API servers do not run
said-does-apiserver-slow = Kubernetes' API servers answer late (delay=)
said-does-etcd-slow = commits of Kubernetes' etcd take long (delay=)
said-does-etcd-member-loss = the etcd member of a control machine does not run
said-does-controller-restart = a controller process is killed and starts with cold caches
said-does-scheduler-down = no scheduler runs
said-does-kubelet-kill = a node's kubelet does not run; its containers do
said-does-runtime-kill = a node's runtime answers nobody; its containers run
said-does-node-drain = a node is cordoned and its pods are evicted
said-does-watch-stale = a watch lags (lag=) or stands still
said-does-node-shutdown = a machine is told to shut down
said-does-kernel-panic = a kernel panics: a machine's, or a virtual machine's
said-does-storage-loss = a machine does not reach its disks over the network
said-does-delay = A|B, a machine or a replica: packets arrive later (200ms jitter=)
said-does-loss = A|B, a machine or a replica: packets get lost (10%)
said-does-disk-slow = a machine's disk answers late (200ms) or carries little (5Mi)
said-does-clock-skew = a machine's clock is ahead (+10m) or behind (-1h)
said-is-when = when: at 60s
said-is-how-long = how long: for 30s
said-is-how-much = how much
said-is-zone = zone
said-is-machine = machine
said-is-machine-of = the machine of a replica of the workload
said-is-replica = replica
said-is-replica-of = a replica of the workload
said-is-workload = workload
said-is-unit = unit
said-is-file = file
said-line-nodes = N: workers of one shape, worker-1 to worker-N
said-line-worker = KEY=VALUE…: the shape of the workers, e.g. cpu=4 memory=8Gi
said-line-node = NAME KEY=VALUE…: a machine of its own; with one of these there are no others
said-line-managers = N: Swarm's managers, control-1 to control-N
said-line-seed = N: of every random number of the run
said-line-set = KEY VALUE: a component's flag under its upstream name
said-line-orchestrators = NAMES…: which worlds run (of a scenario; beside manifests they tell it)
said-word-means = { $word }: { $meaning }
said-line-means = { $word } { $meaning }
said-setting-now = now { $value }
said-setting-of = of { $orchestrator }
said-field = { $name }: { $shape }
said-field-required = { $name }: { $shape }, required
said-field-of = field of { $structure }
said-fields = fields: { $names }
said-kept = accepted and kept, but not modelled
said-shape-required = { $shape }, required
said-shape-any = anything
said-shape-string = string
said-shape-duration = duration
said-shape-time = time
said-shape-boolean = boolean
said-shape-integer = integer
said-shape-number = number
said-shape-quantity = quantity
said-shape-object = object
said-shape-list = list of { $items }
said-shape-map = map of { $values }
said-shape-or = { $one } or { $other }
