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
worker-missing = This page was built without its worker.
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
theme-auto = Automatic
theme-light = Light
theme-dark = Dark
help = Help
experiment = Experiment…
restored = Restored your last session.
restored-discard = Start fresh
dismiss = Dismiss

## Editor
editor = Files
editor-label = Text of { $file }
editor-hint = Tab leaves the editor until you click or type in it; Escape, then Tab, always does.
file-add = Add files
file-close = Close { $file }
last-valid = Using the last valid files
applied = Applied
problems = Problems
problems-none = No problems.
problems-count = { $count ->
    [one] 1 problem
   *[other] { $count } problems
}
problem-place = { $file }, line { $line }, column { $column }
problem-fault = Faults of the experiment, line { $line }, column { $column }
problem-fix = Fix
not-modelled = Accepted and kept, but not modelled
drop-here = Drop files here

## Planes
machines = Machines
plane-kubernetes = Kubernetes
plane-swarm = Docker Swarm
plane-compose = Compose
plane-kubernetes-kind = declarative
plane-swarm-kind = imperative front end
plane-compose-kind = one host
plane-empty = No input for this orchestrator.
converged = Converged
working = At work
node-word = node
host-word = host
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
service-summary = { $name }: { $ready } of { $desired } ready, { $serving } serving
serving-now = { $percent } answered now
availability = { $percent } since the start
nobody-asks = nobody asks
ready-of = { $ready }/{ $desired } ready
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
ready-said = { $plane }: { $ready } of { $desired } ready.

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
console-empty = Nothing was run yet.
exit-code = exit code { $code }

## Experiment dialog
experiment-title = Experiment
experiment-files = Files from this computer
experiment-folder = A folder
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
help-brackets = previous, next fault
help-fork = fork here
help-speed = slower, faster
help-kill = kill the chosen machine; h heals
help-delete = kill the machine, pod, task or container with the focus
help-panels = editor, machines, timeline, console
help-apply = check and apply at once
help-why = explain the unit with the focus
help-question = this sheet

## Share
share = Share
share-title = Share and take away
share-link = Link to this moment
share-length = { $count ->
    [one] 1 character.
   *[other] { $count } characters.
}
share-long = Some programs cut links that are this long.
share-too-long = The experiment is too large for a link: take the scenario file instead.
share-command = The same on the command line
share-command-hint = Run it in the folder that holds the files.
copy = Copy
export = Take away
export-svg = Charts as SVG
export-png = Charts as PNG
export-csv = Figures as CSV
export-scenario = Scenario as Markdown
link-too-long = The link is longer than a link of Podium can be. Your own work is untouched.
link-version = The link was made by a newer Podium. Your own work is untouched.
link-damaged = The link is damaged and cannot be read. Your own work is untouched.
link-example = The link was made with another version of the examples. Your own work is untouched.
unkept = The browser does not keep this session: it is too large, or storage is full or blocked. Download the files to keep them.
crash = The engine stopped and was started again. Your files are as you left them.
crash-link = Link that reproduces it
embed-open = Open in Podium
open = Open

## Gallery
gallery = Gallery
gallery-hint = Each one is a scenario that the tests run. It opens at its start: play it, then change something.
gallery-open = Open: { $title }
gallery-try = Try: { $what }
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
anatomy-place = On { $machine }, kernel { $kernel }
anatomy-groups = Control groups
anatomy-spaces = Namespaces (= the machine's own)
anatomy-processes = Processes
anatomy-mounts = Mounts and layers
anatomy-interfaces = Interfaces and routes
anatomy-rules = Packet filter rules
inspector-none = The tools tell nothing about this.
console-words = Words that fit
console-tab = Tab takes the first word offered; Escape dismisses the offer.
fault-reboot = Reboot
fault-partition = Cut off
fault-registry = Registry down
help-break = reboot the machine, cut it off, registries down
help-inspect = inspect the object with the focus
help-present = presenter mode
help-share = share
